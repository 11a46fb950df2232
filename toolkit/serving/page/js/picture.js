// A picture of the person's own: read, made small enough for the service, cropped.

import { Problem } from "./service.js";

/** Types that the service reads; whatever else a browser can show is sent as JPEG. */
const SENT_AS_THEY_ARE = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"];
/** A type that the service reads and browsers do not show. */
const UNSEEN = "image/tiff";
const LONGEST_SIDE = 4096;
const LONGEST_CROP = 2048;
const QUALITY = 0.92;
/** What a form adds to the picture in it. */
const FORM_BYTES = 70_000;

/**
 * @typedef {{max_body_bytes: number, max_pixels: number}} Limits
 * @typedef {{left: number, top: number, width: number, height: number}} Box in shares of the picture, 0 to 1
 */

/** Bytes to send, and an address to show them by until `close`. */
export class Picture {
  /** @param {Blob} blob @param {string} name @param {{width: number, height: number} | null} size null: cannot be shown */
  constructor(blob, name, size) {
    this.blob = blob;
    this.name = name;
    this.size = size;
    /** @type {string | null} */ this.address = null;
  }

  /** @returns {string} for an <img> */
  get url() {
    this.address ??= URL.createObjectURL(this.blob);
    return this.address;
  }

  close() {
    if (this.address !== null) URL.revokeObjectURL(this.address);
    this.address = null;
  }
}

/**
 * @param {Blob & {name?: string}} file
 * @param {Limits} limits larger pictures are scaled down
 * @returns {Promise<Picture>}
 * @throws {Problem} kind no_picture
 */
export async function readPicture(file, limits) {
  const name = file.name ?? "";
  const largest = limits.max_body_bytes - FORM_BYTES;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    if (file.type === UNSEEN && file.size <= largest) return new Picture(file, name, null);
    throw new Problem("no_picture");
  }
  try {
    const { width, height } = bitmap;
    const fits = file.size <= largest && width * height <= limits.max_pixels;
    if (fits && SENT_AS_THEY_ARE.includes(file.type)) return new Picture(file, name, { width, height });
    const whole = { left: 0, top: 0, width: 1, height: 1 };
    for (let side = LONGEST_SIDE; ; side /= 2) {
      const { blob, size } = await drawn(bitmap, whole, side);
      if (blob.size <= largest && size.width * size.height <= limits.max_pixels)
        return new Picture(blob, name, size);
    }
  } finally {
    bitmap.close();
  }
}

/**
 * @param {Picture} picture
 * @param {Box} box
 * @returns {Promise<Blob>} a JPEG of the part in the box
 */
export async function cropped(picture, box) {
  const bitmap = await createImageBitmap(picture.blob);
  try {
    return (await drawn(bitmap, box, LONGEST_CROP)).blob;
  } finally {
    bitmap.close();
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @param {Box} box
 * @param {number} longest side of the result
 */
async function drawn(bitmap, box, longest) {
  const from = { width: box.width * bitmap.width, height: box.height * bitmap.height };
  const share = Math.min(1, longest / Math.max(from.width, from.height));
  const size = {
    width: Math.max(1, Math.round(from.width * share)),
    height: Math.max(1, Math.round(from.height * share)),
  };
  const canvas = Object.assign(document.createElement("canvas"), size);
  const context = canvas.getContext("2d");
  if (context === null) throw new Problem("no_picture");
  // JPEG has no transparency; the service shows such places white too.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size.width, size.height);
  context.imageSmoothingQuality = "high";
  const [left, top] = [box.left * bitmap.width, box.top * bitmap.height];
  context.drawImage(bitmap, left, top, from.width, from.height, 0, 0, size.width, size.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (blob === null) throw new Problem("no_picture");
  return { blob, size };
}
