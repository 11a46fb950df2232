// Light, dark, or as the system has it.

import { byId, icon } from "./element.js";
import { sayAttribute } from "./language.js";

const KEPT = "theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const ICONS = { auto: "auto", light: "sun", dark: "moon" };

/** Shows the theme that was chosen last. */
export function startTheme() {
  const kept = localStorage.getItem(KEPT) ?? "auto";
  show(kept in NEXT ? kept : "auto");
  byId("theme").addEventListener("click", nextTheme);
}

export function nextTheme() {
  const theme = NEXT[document.documentElement.dataset.theme];
  localStorage.setItem(KEPT, theme);
  show(theme);
}

/** @param {string} theme */
function show(theme) {
  document.documentElement.dataset.theme = theme;
  const button = byId("theme");
  button.replaceChildren(icon(ICONS[theme]));
  for (const attribute of ["aria-label", "title"]) sayAttribute(button, attribute, `theme.${theme}`);
}
