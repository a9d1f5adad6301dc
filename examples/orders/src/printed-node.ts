/** Keeps the acknowledged lines of a run in its directory, for later starts and later audits. */
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'

/** The whole lines; a last one without its end was cut short and does not count. */
export function readPrinted(path: string): string[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split('\n').slice(0, -1)
}

export function appendPrinted(path: string, lines: readonly string[]): void {
  if (lines.length > 0) appendFileSync(path, `${lines.join('\n')}\n`)
}

/** Cuts off a last line without its end, so that what is appended begins a line of its own. */
export function cutPrinted(path: string): void {
  if (!existsSync(path)) return
  const bytes = readFileSync(path)
  const end = bytes.lastIndexOf(0x0a) + 1
  if (end < bytes.length) truncateSync(path, end)
}
