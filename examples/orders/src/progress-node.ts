/** The progress bar, on the error stream so that the output stays clean for programs. */
import { SingleBar } from 'cli-progress'

export interface Progress {
  ended(count: number): void
  killed(count: number): void
  stop(): void
}

export interface ProgressOptions {
  readonly total: number
  /** Shows nothing, for runs whose output is read by programs. */
  readonly isQuiet: boolean
  readonly stream?: NodeJS.WriteStream
}

const FORMAT = '  {bar} {percentage}% | {value}/{total} orders | {duration_formatted}{kills}'
const LINE_EVERY_MS = 5_000

/** A bar on a terminal, else a line now and then, each with something new. */
export function showProgress(options: ProgressOptions): Progress {
  if (options.isQuiet) return { ended() {}, killed() {}, stop() {} }
  const { total, stream = process.stderr } = options
  return stream.isTTY ? barOn(stream, total) : linesOn(stream, total)
}

function barOn(stream: NodeJS.WriteStream, total: number): Progress {
  const bar = new SingleBar({
    format: FORMAT,
    barsize: 32,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    stream,
  })
  bar.start(total, 0, { kills: '' })
  return {
    ended: (count) => bar.update(count),
    killed: (count) => bar.update({ kills: ` | ${count} kills` }),
    stop: () => bar.stop(),
  }
}

function linesOn(stream: NodeJS.WriteStream, total: number): Progress {
  let ended = 0
  let kills = ''
  let shown = ''
  let shownAtMs = performance.now()
  const show = (): void => {
    const percentage = Math.floor((100 * ended) / Math.max(total, 1))
    const line = `  ${percentage}% | ${ended}/${total} orders${kills}\n`
    shownAtMs = performance.now()
    if (line !== shown && ended > 0) stream.write(line)
    shown = line
  }
  const showInTime = (): void => {
    if (performance.now() - shownAtMs >= LINE_EVERY_MS) show()
  }
  return {
    ended(count) {
      ended = count
      showInTime()
    },
    killed(count) {
      kills = ` | ${count} kills`
      showInTime()
    },
    stop: show,
  }
}
