/** `sagalog log verify DIR`: every byte of a log is checked, and one line says how it is. */
import { type Verdict, verifyLog } from '@sagalog/log-core'
import { type CommandPorts, EXIT, type ExitCode } from './program.js'
import { showProgress } from './progress.js'
import { bytesText, plural } from './words.js'

/** More damaged places than this are counted, not listed. */
const LISTED_MAX = 50

function verdictLine(directory: string, verdict: Verdict): string {
  const { segments, frames, records, start, end, bytes, damages } = verdict
  const size = `${plural(segments, 'segment')}, ${bytesText(bytes)}`
  const what = `${plural(records, 'record')} in ${plural(frames, 'frame')}, ${size}`
  if (verdict.isWhole) return `whole: ${directory}: ${what}, positions ${start} to ${end}`
  const files = new Set(damages.map(({ file }) => file)).size
  const where = `${plural(damages.length, 'damaged place')} in ${plural(files, 'file')}`
  return `DAMAGED: ${directory}: ${where}; readable: ${what}`
}

export async function logVerify(
  { terminal, disk }: CommandPorts,
  directory: string,
  options: { readonly json?: true },
): Promise<ExitCode> {
  const progress = showProgress(terminal, 'verifying')
  let verdict
  try {
    verdict = await verifyLog({ disk, directory, onProgress: (...done) => progress.at(...done) })
  } finally {
    progress.stop()
  }
  const { damages, isWhole } = verdict
  if (options.json === true) {
    await terminal.print(`${JSON.stringify(verdict, undefined, 2)}\n`)
    return isWhole ? EXIT.fine : EXIT.failed
  }
  for (const { file, position, reason } of damages.slice(0, LISTED_MAX)) {
    await terminal.print(`${file}: position ${position}: ${reason}\n`)
  }
  const unlisted = damages.length - LISTED_MAX
  if (unlisted > 0) await terminal.print(`and ${plural(unlisted, 'more place')}\n`)
  await terminal.print(`${verdictLine(directory, verdict)}\n`)
  return isWhole ? EXIT.fine : EXIT.failed
}
