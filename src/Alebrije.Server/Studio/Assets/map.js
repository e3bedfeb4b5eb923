// Pan and zoom of an SVG by its viewBox: mouse, touch with one or two fingers, wheel, keys, and the buttons below it.
const smallest = 0.05, largest = 2;

// Positions of a label in the order in which they are tried: [on the other side of its point, rows below].
const places = [[false, 0], [false, -0.8], [false, 0.8], [true, 0], [true, -0.8], [true, 0.8]];

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

// Moves labels so that they overlap neither each other nor the points. A label without a free position is visible only if
// its point is hovered or selected.
function spread(svg) {
  const whole = svg.getBoundingClientRect();
  const taken = [...svg.querySelectorAll(".point .dot, .point image")].map(point => point.getBoundingClientRect());
  for (const label of svg.querySelectorAll(".label")) {
    const dot = label.parentElement.querySelector(".dot");
    const [side, row] = [label.getAttribute("x") - dot.getAttribute("cx"), parseFloat(getComputedStyle(label).fontSize)];
    const own = dot.getBoundingClientRect();
    label.classList.remove("is-crowded");
    const isFree = places.some(([other, rows]) => {
      label.style.textAnchor = (side < 0) === other ? "start" : "end";
      label.style.transform = `translate(${other ? -2 * side : 0}px, ${rows * row}px)`;
      const box = label.getBoundingClientRect();
      const isInside = box.left >= whole.left && box.right <= whole.right && box.top >= whole.top && box.bottom <= whole.bottom;
      if (!isInside || taken.some(each => (each.left !== own.left || each.top !== own.top) && overlap(each, box))) return false;
      taken.push(box);
      return true;
    });
    label.classList.toggle("is-crowded", !isFree);
  }
}

export function wire(svg) {
  if (!svg) return; // The page was closed before the module was loaded.
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  let view = { x: 0, y: 0, scale: 1 };
  const fingers = new Map();

  const lay = () => requestAnimationFrame(() => svg.isConnected && view.scale === 1 && spread(svg));
  new MutationObserver(lay).observe(svg, { childList: true, subtree: true, characterData: true, attributeFilter: ["x", "y", "cx", "cy"] });
  new ResizeObserver(lay).observe(svg);

  const draw = () => svg.setAttribute("viewBox", [view.x, view.y, width * view.scale, height * view.scale].join(" "));
  const place = event => {
    const box = svg.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const zoom = (factor, at = { x: 0.5, y: 0.5 }) => {
    const scale = Math.min(largest, Math.max(smallest, view.scale * factor));
    view.x += at.x * width * (view.scale - scale);
    view.y += at.y * height * (view.scale - scale);
    view.scale = scale;
    draw();
  };
  const move = (dx, dy) => { view.x += dx * width * view.scale; view.y += dy * height * view.scale; draw(); };
  const home = () => { view = { x: 0, y: 0, scale: 1 }; draw(); };

  svg.addEventListener("wheel", event => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, place(event));
  }, { passive: false });
  svg.addEventListener("pointerdown", event => { fingers.set(event.pointerId, place(event)); svg.setPointerCapture?.(event.pointerId); });
  svg.addEventListener("pointermove", event => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const length = point => Math.hypot((point.x - other.x) * width, (point.y - other.y) * height);
      if (length(now) > 5) zoom(length(before) / length(now), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    } else move(before.x - now.x, before.y - now.y);
    fingers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, event => fingers.delete(event.pointerId));
  svg.addEventListener("keydown", event => {
    const action = {
      ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0), ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1),
      "+": () => zoom(1 / 1.25), "-": () => zoom(1.25), Home: home,
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  for (const button of svg.parentElement.querySelectorAll("[data-map]"))
    button.addEventListener("click", () => ({ in: () => zoom(1 / 1.4), out: () => zoom(1.4), home })[button.dataset.map]());
}
