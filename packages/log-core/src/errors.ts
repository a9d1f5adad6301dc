/** Every way in which the log can fail to do its work, and what the caller may do about it. */
import { defineErrors, DiskError } from '@sagalog/kernel'

export const LogError = defineErrors('LogError', {
  CLOSED: {
    text: 'the log in {directory} is closed',
    advice: 'Open it again.',
    retry: 'after-reopen',
    state: 'unchanged',
  },
  LOCKED: {
    text: '{directory} is in use by {owner}',
    advice:
      'Stop the other process, wait for it (`lock.waitMs`), or choose another directory. If its ' +
      'machine is gone for good, remove the file `owner` there.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  CORRUPT: {
    text: '{file} is damaged at position {position}: {reason}',
    advice: 'Nothing was cut. Keep a copy of the directory and restore the file from a backup.',
    retry: 'never',
    state: 'unchanged',
  },
  READ_ONLY: {
    text: 'the log in {directory} is open for reading only: {file} is damaged at position {position}',
    advice: 'Save what can be read, then restore the file from a backup and open the log again.',
    retry: 'never',
    state: 'unchanged',
  },
  POSITION_UNKNOWN: {
    text: 'no record stands at position {position}; the log holds {start} to {end}',
    advice: 'Use a position that the log gave.',
    retry: 'never',
    state: 'unchanged',
  },
  RECORD_TOO_LARGE: {
    text: 'a frame of {bytes} bytes was asked for; the most is {bytesMax}',
    advice: 'Append less at once, or make a log with larger segments.',
    retry: 'never',
    state: 'unchanged',
  },
  DIRECTORY_UNUSABLE: {
    text: '{directory} can not be used for a log: {reason}',
    advice: 'Check the path, its owner and its permissions, or choose another directory.',
    retry: 'never',
    state: 'unchanged',
  },
  NO_LOG: {
    text: 'there is no log in {directory}: {reason}',
    advice: 'Check the path. A log is made by opening it.',
    retry: 'never',
    state: 'unchanged',
  },
  NOT_EMPTY: {
    text: '{directory} is not empty: it has {name}',
    advice: 'Choose a new or an empty directory.',
    retry: 'never',
    state: 'unchanged',
  },
  NO_BACKUP: {
    text: 'there is no backup in {directory}: {reason}',
    advice: 'Check the path, or take the backup again.',
    retry: 'never',
    state: 'unchanged',
  },
  BACKUP_DAMAGED: {
    text: '{file} is not what was backed up: {reason}',
    advice: 'Nothing was restored. Use another backup, and look at the disk of this one.',
    retry: 'never',
    state: 'unchanged',
  },
  LOG_BUSY: {
    text: 'segments of {directory} retired faster than they were copied',
    advice: 'Try again, or take the backup in the process that has the log open.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  DISK_FULL: {
    text: 'no space left in {directory}',
    advice: 'Free some space.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  TOO_MANY_FILES: {
    text: 'too many files are open: {path} can not be opened',
    advice: 'Raise the limit of open files (ulimit -n), or open less at once.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  IO: {
    text: 'the disk failed in {directory}: {reason}',
    advice: 'Look at the disk and the system log, then open the log again.',
    retry: 'after-reopen',
    state: 'unknown',
  },
  FLUSH_FAILED: {
    text: 'writing to {file} failed: {reason}; nothing more is acknowledged',
    advice: 'Look at the disk, then open the log again: what is on the disk decides.',
    retry: 'after-reopen',
    state: 'unknown',
  },
  FORMAT_UNSUPPORTED: {
    text: '{file} holds {what} {found}; this version knows up to {known}',
    advice: 'Open the directory with a newer version of the package.',
    retry: 'never',
    state: 'unchanged',
  },
})
export type LogError = InstanceType<typeof LogError>

/** What the disk said, in the words of the log; anything else as it is. */
export function asLogError(error: unknown, directory: string): unknown {
  if (!DiskError.is(error)) return error
  const { detail } = error
  if (error.code === 'IN_USE') {
    const owner = detail['owner'] ?? 'another process'
    return new LogError('LOCKED', { directory, owner }, { cause: error })
  }
  if (error.code === 'FULL') return new LogError('DISK_FULL', { directory }, { cause: error })
  if (error.code === 'TOO_MANY_FILES') {
    const path = String(detail['path'] ?? directory)
    return new LogError('TOO_MANY_FILES', { path }, { cause: error })
  }
  if (error.code !== 'IO') {
    // No access, not there, or a file where a directory should be: the disk is fine.
    const reason = error.message.replace(/^\w+: /, '')
    return new LogError('DIRECTORY_UNUSABLE', { directory, reason }, { cause: error })
  }
  const reason = error.message.replace(/^\w+: /, '')
  return new LogError('IO', { directory, reason }, { cause: error })
}
