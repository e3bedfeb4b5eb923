// Starts the connection of the page. A dialog offers to reconnect, so a stopped service is not called in a loop.
const dialog = document.getElementById("reconnect");
const failed = document.getElementById("reconnect-failed");
const again = document.getElementById("reconnect-again");

function show() {
  failed.hidden = true;
  if (!dialog.open) dialog.showModal();
}

async function connect() {
  again.disabled = true;
  failed.hidden = true;
  try {
    if (await Blazor.reconnect()) dialog.close();
    else location.reload();
  } catch {
    failed.hidden = false;
  }
  again.disabled = false;
}

again.addEventListener("click", connect);
dialog.addEventListener("cancel", event => event.preventDefault());
addEventListener("online", () => { if (dialog.open) connect(); });

// A request from a link on another site has no visitor cookie; a second request from the page itself has it.
if (document.documentElement.dataset.visit === "again") {
  location.replace(location.pathname + location.search);
  await new Promise(() => {});
}

await Blazor.start({
  logLevel: 6,
  circuit: {
    logLevel: 6,
    configureSignalR: builder => builder.configureLogging(6),
    reconnectionHandler: { onConnectionDown: show, onConnectionUp: () => dialog.close() },
  },
});
document.documentElement.dataset.ready = "true";
