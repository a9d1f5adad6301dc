/** Loads an order file from the disk of the machine. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DemoError } from './errors.js'
import { type Order, parseOrders } from './order-file.js'

/** A file that was read and not yet understood. */
export interface FileBytes {
  readonly path: string
  readonly bytes: Buffer
  /** SHA-256 of its bytes. */
  readonly hash: string
}

export interface OrderFile {
  readonly path: string
  readonly text: string
  /** SHA-256 of its bytes. */
  readonly hash: string
  readonly orders: readonly Order[]
}

/** The sample that comes with the demo. */
export const samplePath = fileURLToPath(new URL('../data/CDNOW_sample.txt', import.meta.url))

/** Reads a file as it is. Throws FILE_UNREADABLE. */
export function readOrderFile(path: string): FileBytes {
  try {
    const bytes = readFileSync(path)
    return { path, bytes, hash: createHash('sha256').update(bytes).digest('hex') }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new DemoError('FILE_UNREADABLE', { path, reason }, { cause })
  }
}

/** The first `limit` orders of a file. Throws LINE_MALFORMED or BAD_ARGUMENT. */
export function ordersOf({ path, bytes, hash }: FileBytes, limit?: number): OrderFile {
  const text = bytes.toString('latin1')
  const parsed = parseOrders(text, limit)
  if (!parsed.ok) {
    throw new DemoError('LINE_MALFORMED', { path, line: parsed.line, reason: parsed.reason })
  }
  const { orders } = parsed
  if (limit !== undefined && orders.length < limit) {
    const what = `--orders ${limit}: ${path} has ${orders.length} orders`
    throw new DemoError('BAD_ARGUMENT', { what })
  }
  return { path, text, hash, orders }
}
