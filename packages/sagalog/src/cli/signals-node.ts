/** The wish of an operator to end this process: Ctrl-C, or SIGTERM from whoever runs it. */

/** Resolves with the signal's name. A second one ends the process at once, as the system does. */
export function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    const stop = (signal: string): void => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      resolve(signal)
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  })
}
