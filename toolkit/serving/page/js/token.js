// Where the token is kept: for this tab, or on this device when the person asks for it. Never in an address.

const KEPT = "token";

/** @returns {string} empty: there is none */
export const keptToken = () => sessionStorage.getItem(KEPT) ?? localStorage.getItem(KEPT) ?? "";

export const isRemembered = () => localStorage.getItem(KEPT) !== null;

/** @param {string} token @param {boolean} onDevice also when the tab was closed */
export function keepToken(token, onDevice) {
  forgetToken();
  (onDevice ? localStorage : sessionStorage).setItem(KEPT, token);
}

export function forgetToken() {
  sessionStorage.removeItem(KEPT);
  localStorage.removeItem(KEPT);
}
