/** Keeps the acknowledged lines of a run in its directory, for later starts and later audits. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** The whole lines; a last one without its end was cut short and does not count. */
export function readPrinted(path: string): string[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split('\n').slice(0, -1)
}

export function appendPrinted(path: string, lines: readonly string[]): void {
  if (lines.length > 0) appendFileSync(path, `${lines.join('\n')}\n`)
}
