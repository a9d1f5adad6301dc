/** `sagalog log verify DIR`: every byte of a log is checked, and one line says how it is. */
import type { Disk } from '@sagalog/kernel'
import { LogError, readManifest, type Verdict, verifyBackup, verifyLog } from '@sagalog/log-core'
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

interface VerifyFlags {
  readonly json?: true
}

/** True when the directory is a backup. Rejects when it may be one and can not be read. */
async function isBackup(disk: Disk, directory: string): Promise<boolean> {
  try {
    await readManifest(disk, directory)
    return true
  } catch (error) {
    const isNone = LogError.is(error) && error.detail['isThere'] !== true
    if (isNone) return false
    throw error
  }
}

async function verifyCopies(
  { terminal, disk }: CommandPorts,
  directory: string,
  { json }: VerifyFlags,
): Promise<ExitCode> {
  const progress = showProgress(terminal, 'verifying')
  try {
    const onProgress = (...done: [number, number]): void => progress.at(...done)
    const manifest = await verifyBackup({ disk, from: directory, onProgress })
    const { records, files, end } = manifest
    const what = `${plural(records, 'record')}, ${plural(files.length, 'segment')}`
    const text = `whole backup: ${directory}: ${what}, up to position ${end}`
    progress.stop()
    await terminal.print(`${json === true ? JSON.stringify(manifest, undefined, 2) : text}\n`)
    return EXIT.fine
  } finally {
    progress.stop()
  }
}

export async function logVerify(
  ports: CommandPorts,
  directory: string,
  options: VerifyFlags,
): Promise<ExitCode> {
  const { terminal, disk } = ports
  if (await isBackup(disk, directory)) return verifyCopies(ports, directory, options)
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
