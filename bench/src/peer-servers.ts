/**
 * The servers that peers of a benchmark need: Redis and PostgreSQL, each started in a directory of
 * its own from the programs that the machine has, and syncing every write. Where there is none, a
 * sentence says so instead.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'

export interface PeerServer {
  /** How a peer reaches it. */
  readonly where: string
  stop(): Promise<void>
}

/** A server, or why there is none. */
export type PeerServerOr = PeerServer | string

const PORT_WAIT_MS = 20_000

function programAt(name: string, folders: readonly string[] = []): string | undefined {
  const path = [...folders, ...(process.env['PATH'] ?? '').split(delimiter)]
  return path.map((folder) => join(folder, name)).find((file) => existsSync(file))
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** True when somebody listens on the port. */
export const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

async function served(child: ChildProcess, port: number, where: string): Promise<PeerServer> {
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  const untilMs = performance.now() + PORT_WAIT_MS
  while (!(await isOpen(port))) {
    if (child.exitCode !== null || performance.now() > untilMs)
      throw new Error(`${child.spawnfile} did not serve on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    where,
    async stop() {
      child.kill('SIGINT')
      await ended
    },
  }
}

export async function startRedis(directory: string): Promise<PeerServerOr> {
  const program = programAt('redis-server')
  if (program === undefined) return 'redis-server is not installed'
  mkdirSync(directory, { recursive: true })
  const port = await freePort()
  const options = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, ...options]
  return served(spawn(program, args, { stdio: 'ignore' }), port, String(port))
}

/** Debian keeps the server's programs by version, off the path. */
function postgresFolders(): readonly string[] {
  const base = '/usr/lib/postgresql'
  if (!existsSync(base)) return []
  return readdirSync(base).map((version) => join(base, version, 'bin'))
}

/** PostgreSQL refuses to run as root: then it runs as `nobody`. */
const NOBODY = 65_534

/** `SAGALOG_BENCH_POSTGRES`, an address, goes before a server of our own. */
export async function startPostgres(directory: string): Promise<PeerServerOr> {
  const given = process.env['SAGALOG_BENCH_POSTGRES']
  if (given !== undefined) return { where: given, stop: async () => undefined }
  const initdb = programAt('initdb', postgresFolders())
  const postgres = programAt('postgres', postgresFolders())
  if (initdb === undefined || postgres === undefined) return 'PostgreSQL is not installed'
  mkdirSync(directory, { recursive: true })
  const isRoot = process.getuid?.() === 0
  const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  if (isRoot) chownSync(directory, NOBODY, NOBODY)
  const data = join(directory, 'data')
  const init = ['-D', data, '-U', 'bench', '-A', 'trust', '--no-instructions']
  execFileSync(initdb, init, { stdio: 'ignore', cwd: directory, ...user })
  const port = await freePort()
  const args = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', directory]
  const child = spawn(postgres, args, { stdio: 'ignore', cwd: directory, ...user })
  return served(child, port, `postgres://bench@127.0.0.1:${port}/postgres`)
}
