// A brush on an image: painted parts are white in the mask.
const boards = new WeakMap();

function repaint(board) {
  const { canvas, context, image, paint, at } = board;
  const side = Math.min(image.width, image.height);
  context.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 0.6;
  context.drawImage(paint, 0, 0);
  context.globalAlpha = 1;
  if (!at) return;
  context.beginPath();
  context.arc(at.x, at.y, board.size, 0, 2 * Math.PI);
  context.lineWidth = 2;
  context.strokeStyle = "#b3195f";
  context.stroke();
}

function stroke(board, from, to) {
  const pen = board.paint.getContext("2d");
  pen.strokeStyle = "#ff3d8b";
  pen.lineCap = "round";
  pen.lineWidth = 2 * board.size;
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x + 0.01, to.y);
  pen.stroke();
  board.painted = true;
}

export async function start(canvas, address, size) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const known = boards.get(canvas);
  const board = known ?? { canvas, context: canvas.getContext("2d"), paint: document.createElement("canvas"), at: null };
  Object.assign(board, { image, size, painted: false });
  board.paint.width = canvas.width;
  board.paint.height = canvas.height;
  boards.set(canvas, board);
  repaint(board);
  if (known) return;
  let last = null;
  const place = event => {
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) * canvas.width / box.width, y: (event.clientY - box.top) * canvas.height / box.height };
  };
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    last = board.at = place(event);
    stroke(board, last, last);
    repaint(board);
  });
  canvas.addEventListener("pointermove", event => {
    board.at = place(event);
    if (last) stroke(board, last, board.at), last = board.at;
    repaint(board);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
  canvas.addEventListener("pointerleave", () => { board.at = null; repaint(board); });
  canvas.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    board.at ??= { x: canvas.width / 2, y: canvas.height / 2 };
    if (step) board.at = { x: Math.min(canvas.width, Math.max(0, board.at.x + step[0])), y: Math.min(canvas.height, Math.max(0, board.at.y + step[1])) };
    else stroke(board, board.at, board.at);
    repaint(board);
  });
}

export function brush(canvas, size) {
  const board = boards.get(canvas);
  if (board) board.size = size, repaint(board);
}

export function clear(canvas) {
  const board = boards.get(canvas);
  if (!board) return;
  board.paint.getContext("2d").clearRect(0, 0, board.paint.width, board.paint.height);
  board.painted = false;
  repaint(board);
}

/** The mask as a PNG data URL, white where the image is painted; an empty string if nothing is painted. */
export function mask(canvas) {
  const board = boards.get(canvas);
  if (!board?.painted) return "";
  const result = document.createElement("canvas");
  result.width = canvas.width;
  result.height = canvas.height;
  const context = result.getContext("2d");
  const pixels = board.paint.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const value = pixels.data[i + 3] > 127 ? 255 : 0;
    pixels.data.set([value, value, value, 255], i);
  }
  context.putImageData(pixels, 0, 0);
  return result.toDataURL("image/png");
}
