/**
 * A bar on a terminal and nothing elsewhere: it goes to the error stream, so the output stays clean
 * for programs, and what a file would keep of it is noise.
 */
import { SingleBar } from 'cli-progress'
import type { Terminal } from './terminal.js'
import { bytesText } from './words.js'

export interface Progress {
  /** So many bytes of so many are done. */
  at(bytes: number, of: number): void
  stop(): void
}

export function showProgress(terminal: Terminal, what: string): Progress {
  const stream = terminal.progress
  if (stream === undefined) return { at() {}, stop() {} }
  let isStarted = false
  const bar = new SingleBar({
    format: `${what} {bar} {percentage}% | {done} of {whole} | {duration_formatted}`,
    barsize: 30,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    etaBuffer: 1,
    stream,
  })
  return {
    at(bytes, of) {
      const shown = { done: bytesText(bytes), whole: bytesText(of) }
      if (!isStarted) bar.start(of, bytes, shown)
      else bar.update(bytes, shown)
      isStarted = true
    },
    stop() {
      if (isStarted) bar.stop()
    },
  }
}
