/**
 * Numbers in buffers, read and written at the price of a load or a store. A buffer's own methods
 * check their arguments each time; a view is made once for the buffer at hand, because one slab or
 * one block is worked through from start to end before the next.
 */

let lastBytes: Uint8Array = new Uint8Array(0)
let lastView = new DataView(lastBytes.buffer)

/** The view of all of `bytes`; good until the next call with other bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  if (bytes === lastBytes) return lastView
  lastBytes = bytes
  lastView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return lastView
}
