/** The system's error codes as the errors of the Disk port. */
import { DiskError } from '@sagalog/kernel'

export function asDiskError(
  error: NodeJS.ErrnoException,
  operation: string,
  path: string,
): DiskError {
  const options = { cause: error }
  switch (error.code) {
    case 'ENOENT':
      return new DiskError('NOT_FOUND', { path }, options)
    case 'EEXIST':
      return new DiskError('EXISTS', { path }, options)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new DiskError('NO_ACCESS', { path, operation }, options)
    case 'ENOSPC':
    case 'EDQUOT':
      return new DiskError('FULL', { path }, options)
    default:
      return new DiskError('IO', { operation, path, reason: error.message }, options)
  }
}
