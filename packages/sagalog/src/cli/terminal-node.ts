/**
 * The streams of this process. A reader that went away is no failure: what is printed after that
 * is dropped, and the command that prints is told.
 */
import type { Terminal } from './terminal.js'

export function nodeTerminal(): Terminal {
  const { stdout, stderr } = process
  let isGone = false
  const wakes = new Set<() => void>()
  function leave(error: NodeJS.ErrnoException): void {
    // EIO is what a terminal that was closed says.
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
    isGone = true
    for (const wake of wakes) wake()
  }
  stdout.on('error', leave)
  stderr.on('error', () => {})

  /** Resolves when the output takes more, or when nobody reads it any more. */
  function drained(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        stdout.off('drain', wake)
        wakes.delete(wake)
        resolve()
      }
      stdout.on('drain', wake)
      wakes.add(wake)
    })
  }
  return {
    async print(text) {
      if (!isGone && !stdout.write(text)) await drained()
      return !isGone
    },
    tell: (line) => void stderr.write(`${line}\n`),
    progress: stderr.isTTY ? stderr : undefined,
    columns: stdout.isTTY ? stdout.columns : undefined,
  }
}
