/**
 * Three durable steps at BullMQ, DBOS and Restate, each in a process of its own with its server
 * started beside it. They are not dependencies of the workspace: `bench/peers` installs them by
 * hand, and what is missing is left out with a line that says so.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { CaseName, Round } from './measurement.js'
import { type PeerServerOr, startPostgres, startRedis } from './peer-servers.js'

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'peers')
const TIMEOUT_MS = 120_000
const BUFFER_MAX = 64 * 1024 * 1024

interface SagaPeer {
  readonly peer: string
  readonly program: string
  start(directory: string): Promise<PeerServerOr>
}

const peers: readonly SagaPeer[] = [
  { peer: 'BullMQ flow', program: 'bullmq.mjs', start: startRedis },
  { peer: 'DBOS', program: 'dbos.mjs', start: startPostgres },
  {
    peer: 'Restate',
    program: 'restate.mjs',
    // Its program starts its own server.
    start: async (where) => ({ where, stop: async () => undefined }),
  },
]

/** Why a peer was left out of this run, one line each. */
export const leftOut = new Map<string, string>()

interface Printed {
  readonly elapsedMs: number
  readonly latenciesMs: readonly number[]
}

async function measured(
  { peer, program, start }: SagaPeer,
  directory: string,
  { callers, durationMs }: { callers: number; durationMs: number },
): Promise<Round | undefined> {
  mkdirSync(directory, { recursive: true })
  const server = await start(directory)
  if (typeof server === 'string') {
    leftOut.set(peer, server)
    return undefined
  }
  try {
    const args = [join(folder, program), server.where, String(callers), String(durationMs)]
    const limits = { timeout: TIMEOUT_MS, maxBuffer: BUFFER_MAX }
    const { stdout } = await promisify(execFile)(process.execPath, args, limits)
    const line = stdout.trimEnd().split('\n').at(-1) ?? ''
    const { elapsedMs, latenciesMs } = JSON.parse(line) as Printed
    const operations = latenciesMs.length
    const name: CaseName = { peer, body: 0, concurrency: callers, durability: 'sync' }
    return { ...name, operations, elapsedMs, latenciesMs, earlyReplies: 0, figures: {} }
  } catch (thrown) {
    leftOut.set(peer, `its program failed: ${String(thrown).split('\n')[0]}`)
    return undefined
  } finally {
    await server.stop()
  }
}

/** A round of each peer that is there. */
export async function peerRounds(
  directory: string,
  load: { callers: number; durationMs: number },
): Promise<readonly Round[]> {
  if (!existsSync(join(folder, 'node_modules'))) {
    for (const { peer } of peers)
      leftOut.set(peer, 'not installed: npm install --prefix bench/peers')
    return []
  }
  const rounds: Round[] = []
  for (const [index, peer] of peers.entries()) {
    const round = await measured(peer, join(directory, `peer-${index}`), load)
    if (round !== undefined) rounds.push(round)
  }
  return rounds
}
