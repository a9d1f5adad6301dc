/** The progress bar, on the error stream so that the output stays clean for programs. */
import { SingleBar } from 'cli-progress'

export interface Progress {
  ended(count: number): void
  killed(count: number): void
  stop(): void
}

const FORMAT = '  {bar} {percentage}% | {value}/{total} orders | {duration_formatted}{kills}'
const QUIET_EVERY_MS = 5_000

/** `isQuiet` shows nothing, for runs whose output is read by programs. */
export function showProgress(total: number, isQuiet: boolean): Progress {
  if (isQuiet) return { ended() {}, killed() {}, stop() {} }
  const bar = new SingleBar({
    format: FORMAT,
    barsize: 32,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    noTTYOutput: true,
    notTTYSchedule: QUIET_EVERY_MS,
    stream: process.stderr,
  })
  bar.start(total, 0, { kills: '' })
  return {
    ended: (count) => bar.update(count),
    killed: (count) => bar.update({ kills: ` | ${count} kills` }),
    stop: () => bar.stop(),
  }
}
