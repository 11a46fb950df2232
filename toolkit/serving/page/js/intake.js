// Where pictures come in: chosen, photographed, dropped anywhere, or pasted.

import { byId, button, element, icon } from "./element.js";

/** @typedef {(files: File[]) => void} Take */

/** Who takes what is dropped or pasted beside a zone: the last that began to listen. @type {Take[]} */
const takers = [];

/** @param {Take} take @returns {() => void} ends it */
export function listen(take) {
  takers.push(take);
  return () => {
    const place = takers.lastIndexOf(take);
    if (place >= 0) takers.splice(place, 1);
  };
}

/**
 * Makes a zone that pictures can be dropped on and chosen in.
 * @param {HTMLElement} zone
 * @param {Take} take
 * @param {{title: string, many?: boolean}} options title: key of the text in it; with _touched, of the text for fingers
 * @returns {{choose: () => void}}
 */
export function makeIntake(zone, take, { title, many = false }) {
  const chooser = input(take, { multiple: many });
  const camera = input(take, { capture: "environment" });
  const choose = () => chooser.click();
  const actions = element(
    "div",
    { class: "row center" },
    button("intake.choose", "picture", choose, { class: "primary choose" }),
    button("intake.photograph", "camera", () => camera.click(), { class: "quiet camera" }),
  );
  // With fingers nothing is dropped, and there is no Ctrl.
  const isTouched = matchMedia("(pointer: coarse)").matches;
  zone.replaceChildren(
    element("span", { class: "emblem" }, icon("picture")),
    element("p", { class: "title", words: isTouched ? `${title}_touched` : title }),
    isTouched ? "" : element("p", { class: "muted", words: "intake.ways" }),
    actions,
    chooser,
    camera,
  );
  takeDrops(zone, take);
  return { choose };
}

/** Pictures that are dropped on this go there and nowhere else. @param {HTMLElement} zone @param {Take} take */
export function takeDrops(zone, take) {
  zone.addEventListener("drop", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    event.stopPropagation();
    showDropping(false);
    take(filesOf(event.dataTransfer));
  });
}

/** Listens to drops and pastes anywhere on the page. */
export function startIntake() {
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    showDropping(takers.length > 0);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && showDropping(false));
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    showDropping(false);
    hand(filesOf(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const files = filesOf(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    hand(files);
  });
}

/** @param {File[]} files */
function hand(files) {
  if (files.length > 0) takers.at(-1)?.(files);
}

/** @param {Take} take @param {Object<string, any>} options */
function input(take, { multiple = false, capture = undefined }) {
  const accept = "image/*";
  const node = /** @type {HTMLInputElement} */ (
    element("input", { type: "file", accept, multiple, capture, hidden: true, tabindex: -1 })
  );
  node.addEventListener("change", () => {
    const files = [...(node.files ?? [])];
    node.value = ""; // so that the same file can be chosen again
    if (files.length > 0) take(files);
  });
  return node;
}

/** @param {DataTransfer | null} transfer */
const hasFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");

/** @param {DataTransfer | null} transfer @returns {File[]} */
const filesOf = (transfer) => [...(transfer?.files ?? [])];

/** @param {boolean} isShown */
function showDropping(isShown) {
  byId("dropping").hidden = !isShown;
}
