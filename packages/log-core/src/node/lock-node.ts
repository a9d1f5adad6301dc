/**
 * One process per directory. Node has no file locks, so the lock is a listening socket that the
 * operating system frees when the process dies, however it dies: an abstract socket on Linux (one
 * per network namespace: containers that share a volume but no network are not kept apart), a named
 * pipe on Windows, a socket file elsewhere. The `owner` file only tells people who has the lock.
 */
import { createHash } from 'node:crypto'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskError, type DirectoryLock } from '@sagalog/kernel'
import { asDiskError } from './disk-error.js'

const OWNER_FILE = 'owner'

/** The same directory by another path has the same name. */
async function lockName(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true })
  const hash = createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 32)
  if (process.platform === 'linux') return `\0sagalog-${hash}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\sagalog-${hash}`
  return join(tmpdir(), `sagalog-${hash}.sock`)
}

/** A server that listens, or undefined when another one has the name. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined)
      else reject(error)
    })
    server.listen({ path }, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** True when nobody answers behind a socket file: its process died without removing it. */
function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT')
    })
  })
}

async function ownerOf(directory: string): Promise<string> {
  try {
    const text = await readFile(join(directory, OWNER_FILE), 'utf8')
    return /^\d+$/.test(text.trim()) ? `process ${text.trim()}` : 'another process'
  } catch {
    return 'another process'
  }
}

/** Takes the directory for this process; fails with IN_USE, naming the owner. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const name = await lockName(directory)
  let server = await listen(name)
  const isFile = process.platform !== 'linux' && process.platform !== 'win32'
  if (server === undefined && isFile && (await isStale(name))) {
    await rm(name, { force: true })
    server = await listen(name)
  }
  if (server === undefined) {
    throw new DiskError('IN_USE', { path: directory, owner: await ownerOf(directory) })
  }
  const held = server
  const path = join(directory, OWNER_FILE)
  try {
    await writeFile(path, `${process.pid}\n`)
  } catch (error) {
    held.close()
    throw asDiskError(error as NodeJS.ErrnoException, 'written', path)
  }
  return {
    async release() {
      await rm(join(directory, OWNER_FILE), { force: true })
      await new Promise<void>((resolve) => {
        held.close(() => resolve())
      })
    },
  }
}
