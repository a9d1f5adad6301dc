/** The system's error codes as the errors of the Disk port. */
import { DiskError } from '@sagalog/kernel'

type Named = Exclude<DiskError['code'], 'IO' | 'IN_USE'>

const NAMES: Readonly<Record<string, Named>> = {
  ENOENT: 'NOT_FOUND',
  EEXIST: 'EXISTS',
  ENOTDIR: 'NOT_A_DIRECTORY',
  EISDIR: 'NOT_A_FILE',
  EACCES: 'NO_ACCESS',
  EPERM: 'NO_ACCESS',
  EROFS: 'READ_ONLY',
  ENOSPC: 'FULL',
  EDQUOT: 'FULL',
  EFBIG: 'TOO_LARGE',
  EMFILE: 'TOO_MANY_FILES',
  ENFILE: 'TOO_MANY_FILES',
}

/** `operation` is a participle, as in "may not be opened". What has no name is IO. */
export function asDiskError(
  error: NodeJS.ErrnoException,
  operation: string,
  path: string,
): DiskError {
  const options = { cause: error }
  const code = NAMES[error.code ?? '']
  if (code !== undefined) return new DiskError(code, { path, operation }, options)
  return new DiskError('IO', { operation, path, reason: error.message }, options)
}
