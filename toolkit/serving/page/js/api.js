// The routes of /v1 that the page uses.

import { ask } from "./service.js";

/**
 * @typedef {{group_id: string, intra_id: number, savename: string | null, data: Object<string, any>}} Picture
 * @typedef {Picture & {rank: number, similarity: number, distance: number}} Hit
 * @typedef {{name: string, count: number | null, metric: string, kind: string, damaged: string | null}} Database
 * @typedef {{access: "read" | "write", model: string, version: string, max_topk: number, max_body_bytes: number, max_pixels: number}} About
 */

/** @param {string} database */
const at = (database) => `v1/databases/${encodeURIComponent(database)}`;

/** @param {Object<string, any>} values those that are undefined are left out */
function query(values) {
  const said = Object.entries(values).filter(([, value]) => value !== undefined);
  return new URLSearchParams(said).toString();
}

/** @param {Object<string, any>} values @returns {FormData} objects as JSON text */
function form(values) {
  const data = new FormData();
  for (const [name, value] of Object.entries(values)) {
    if (value instanceof Blob) data.append(name, value, name);
    else if (value !== undefined)
      data.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return data;
}

/** @returns {Promise<About>} */
export const about = () => ask("v1");

/** @returns {Promise<Database[]>} */
export const databases = async () => (await ask("v1/databases")).databases;

/** @param {string} name @param {{metric?: string, kind?: string}} [schema] */
export const makeDatabase = (name, schema = {}) => ask(at(name), { method: "PUT", body: schema });

/** @param {string} name */
export const deleteDatabase = (name) => ask(at(name), { method: "DELETE" });

/** @param {string} name @returns {Promise<{deleted: number}>} */
export const cleanDatabase = (name) => ask(`${at(name)}/clean`, { method: "POST" });

/**
 * @param {string} name
 * @param {{group_id?: string, offset: number, limit: number}} page
 * @param {AbortSignal} [signal]
 * @returns {Promise<{count: number, pictures: Picture[]}>}
 */
export const pictures = (name, page, signal) => ask(`${at(name)}/images?${query(page)}`, { signal });

/** @param {string} name @param {{group_id: string, intra_id?: number}} which @returns {Promise<{deleted: number}>} */
export const deletePictures = (name, which) =>
  ask(`${at(name)}/images?${query(which)}`, { method: "DELETE" });

/** @param {string} name @param {Blob} image @param {{group_id: string, data?: Object}} record @param {AbortSignal} [signal] */
export const addPicture = (name, image, record, signal) =>
  ask(`${at(name)}/images`, { method: "POST", body: form({ image, ...record }), signal });

/**
 * @param {string} name
 * @param {Picture} record
 * @param {{side?: number, signal?: AbortSignal}} [options] side: a thumbnail no larger than this; else the file
 * @returns {Promise<Blob>}
 */
export const keptPicture = (name, { group_id, intra_id }, { side, signal } = {}) =>
  ask(`${at(name)}/picture?${query({ group_id, intra_id, side })}`, { as: "blob", signal });

/**
 * @param {string} name
 * @param {Blob} image
 * @param {{k: number, by_group?: boolean, where?: Object}} options
 * @param {AbortSignal} [signal]
 * @returns {Promise<Hit[]>} the nearest first
 */
export const search = async (name, image, options, signal) =>
  (await ask(`${at(name)}/search`, { method: "POST", body: form({ image, ...options }), signal })).neighbours;

/** @param {Blob} imagea @param {Blob} imageb @param {AbortSignal} [signal] */
export const match = (imagea, imageb, signal) =>
  ask("v1/match", { method: "POST", body: form({ imagea, imageb }), signal });

/** @param {AbortSignal} [signal] @returns {Promise<string>} */
export const metrics = (signal) => ask("metrics", { as: "text", signal });
