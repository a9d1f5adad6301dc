/**
 * One process per directory. Node has no file locks, so on Linux and Windows the lock is a
 * listening socket whose name is made from the directory, and which the operating system frees when
 * the process dies, however it dies: an abstract socket on Linux, one per network namespace, and a
 * named pipe on Windows, one per machine. On Linux the `owner` file is a second guard, for
 * containers that share a volume and not their network. macOS and the BSDs lock a file that is
 * opened with O_EXLOCK.
 */
import { createHash } from 'node:crypto'
import { constants, type FileHandle, open, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { DiskError, type DirectoryLock } from '@sagalog/kernel'
import { asDiskError } from './disk-error.js'
import { claimDirectory, currentOwner, OWNER_NAME, ownerNote } from './owner-file-node.js'

/** A flag of open that takes a lock with the file; Node passes it on and has no name for it. */
const O_EXLOCK = 0x20
const EXLOCK_PLATFORMS: ReadonlySet<string> = new Set(['darwin', 'freebsd', 'openbsd', 'netbsd'])

/** The same directory by another path has the same name. */
async function lockName(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true })
  const hash = createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 32)
  return process.platform === 'win32' ? `\\\\.\\pipe\\sagalog-${hash}` : `\0sagalog-${hash}`
}

/** A server that listens, or undefined when another one has the name. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined)
      else reject(error)
    })
    server.listen({ path }, () => resolve(server.unref()))
  })
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
  })

/** Takes the directory for this process; fails with IN_USE, naming the owner. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  try {
    const takes = EXLOCK_PLATFORMS.has(process.platform) ? lockFile : lockSocket
    return await takes(directory)
  } catch (error) {
    if (DiskError.is(error)) throw error
    throw asDiskError(error as NodeJS.ErrnoException, 'written', directory)
  }
}

async function lockSocket(directory: string): Promise<DirectoryLock> {
  const held = await listen(await lockName(directory))
  if (held === undefined) {
    throw new DiskError('IN_USE', { path: directory, owner: await currentOwner(directory) })
  }
  try {
    const owner = await (process.platform === 'win32' ? noteOwner : claimDirectory)(directory)
    return {
      async release() {
        await owner.remove()
        await closed(held)
      },
    }
  } catch (error) {
    await closed(held)
    throw error
  }
}

/** On Windows the file only tells people who has the directory. */
async function noteOwner(directory: string): Promise<{ remove(): Promise<void> }> {
  const path = join(directory, OWNER_NAME)
  await writeFile(path, await ownerNote())
  return { remove: () => rm(path, { force: true }) }
}

/** The file stays when the lock goes: who opened it meanwhile would lock what nobody sees. */
async function lockFile(directory: string): Promise<DirectoryLock> {
  const path = join(directory, OWNER_NAME)
  const { O_RDWR, O_CREAT, O_NONBLOCK } = constants
  let file: FileHandle
  try {
    file = await open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_EXLOCK, 0o644)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK') throw error
    throw new DiskError('IN_USE', { path: directory, owner: await currentOwner(directory) })
  }
  try {
    await file.truncate()
    await file.write(await ownerNote(), 0)
  } catch (error) {
    await file.close()
    throw error
  }
  return {
    async release() {
      await file.truncate()
      await file.close()
    },
  }
}
