/**
 * Keeps the rejections that nobody handles: in a simulated process each is a crash that a bug made.
 * While it watches, the test runner does not see them.
 */
export interface Rejections {
  /** Those that were seen since the last call. */
  take(): unknown[]
  stop(): void
}

/** Watches; what `isExpected` knows is passed over. */
export function watchRejections(
  isExpected: (reason: unknown) => boolean = () => false,
): Rejections {
  const before = process.listeners('unhandledRejection')
  const seen: unknown[] = []
  const listen = (reason: unknown): void => {
    if (!isExpected(reason)) seen.push(reason)
  }
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', listen)
  return {
    take: () => seen.splice(0),
    stop() {
      process.off('unhandledRejection', listen)
      for (const listener of before) process.on('unhandledRejection', listener)
    },
  }
}
