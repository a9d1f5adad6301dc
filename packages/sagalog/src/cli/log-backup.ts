/** `sagalog log backup` and `restore`: a verified copy of a log, and a log made of one. */
import { backupLog, type BackupManifest, restoreLog } from '@sagalog/log-core'
import { type CommandPorts, EXIT, type ExitCode } from './program.js'
import { showProgress } from './progress.js'
import { bytesText, plural } from './words.js'

interface CopyFlags {
  readonly json?: true
}

type OnProgress = (bytes: number, of: number) => void

async function shown(
  { terminal }: CommandPorts,
  what: string,
  copy: (onProgress: OnProgress) => Promise<BackupManifest>,
): Promise<BackupManifest> {
  const progress = showProgress(terminal, what)
  try {
    return await copy((...done) => progress.at(...done))
  } finally {
    progress.stop()
  }
}

async function tell(
  { terminal }: CommandPorts,
  sentence: string,
  manifest: BackupManifest,
  { json }: CopyFlags,
): Promise<ExitCode> {
  const { records, end, files } = manifest
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const size = `${plural(records, 'record')}, ${plural(files.length, 'segment')}`
  const text = `${sentence}: ${size}, ${bytesText(bytes)}, up to position ${end}`
  await terminal.print(`${json === true ? JSON.stringify(manifest, undefined, 2) : text}\n`)
  return EXIT.fine
}

export async function logBackup(
  ports: CommandPorts,
  directory: string,
  to: string,
  flags: CopyFlags,
): Promise<ExitCode> {
  const { disk, clock } = ports
  const manifest = await shown(ports, 'copying', (onProgress) =>
    backupLog({ disk, clock, directory, to, onProgress }),
  )
  return tell(ports, `backed up ${directory} to ${to}, verified`, manifest, flags)
}

export async function logRestore(
  ports: CommandPorts,
  from: string,
  to: string,
  flags: CopyFlags,
): Promise<ExitCode> {
  const { disk } = ports
  const manifest = await shown(ports, 'restoring', (onProgress) =>
    restoreLog({ disk, from, to, onProgress }),
  )
  return tell(ports, `restored ${from} to ${to}, verified`, manifest, flags)
}
