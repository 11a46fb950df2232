// What went wrong, in a person's words.

import { isKnown, t } from "./language.js";
import { Problem } from "./service.js";

/** @param {any} error @returns {Problem} what is no problem is a mistake of this page */
export function problemOf(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem("page", { detail: String(error) });
}

/** @param {Problem} problem @returns {string} key of its sentence */
export const sentenceKey = (problem) =>
  isKnown(`problem.${problem.kind}`) ? `problem.${problem.kind}` : "problem.unexpected";

/** @param {Problem} problem @returns {string} */
export const sentence = (problem) => t(sentenceKey(problem));
