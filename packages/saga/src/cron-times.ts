/**
 * The times that a cron expression names, by the wall clock of a time zone. The only file that
 * knows the library behind it; it runs nothing and keeps no time of its own.
 */
import { Cron } from 'croner'

export interface CronTimes {
  /** The first time after `afterMs`, in milliseconds since 1970; undefined when there is none. */
  next(afterMs: number): number | undefined
  /** The last time that is not after `atMs`. */
  last(atMs: number): number | undefined
}

/** Cron knows whole seconds. */
const SECOND_MS = 1_000

/** Throws when the expression or the zone says nothing that can be understood. */
export function cronTimes(expression: string, timeZone: string): CronTimes {
  const cron = new Cron(expression, { timezone: timeZone, paused: true })
  const next = (afterMs: number): number | undefined =>
    cron.nextRun(new Date(afterMs))?.getTime() ?? undefined
  // A zone that nobody knows is met at the first question only.
  next(0)
  return {
    next,
    last(atMs) {
      const reference = new Date(Math.floor(atMs / SECOND_MS) * SECOND_MS + SECOND_MS)
      const before = cron.previousRuns(2, reference).map((time) => time.getTime())
      return before.filter((time) => time <= atMs).toSorted((one, two) => two - one)[0]
    },
  }
}
