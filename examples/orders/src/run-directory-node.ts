/**
 * The directory of a run: whose it is and how far it is. `run.json` remembers the file's hash and
 * the options; a half-done run is resumed only with the same ones. Touches nothing that it did not
 * make.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { DemoError } from './errors.js'
import { KillStory } from './kill-story.js'
import { type Durability, type Options, SEED_DEFAULT } from './options.js'

const WorkRecord = t.type({
  seconds: t.number,
  orders: t.number,
  messages: t.number,
  syncs: t.number,
  bookSyncs: t.number,
  logBytes: t.number,
  earlyReplies: t.number,
})

const RunRecord = t.type({
  version: t.literal(1),
  filePath: t.string,
  fileHash: t.string,
  orders: t.number,
  durability: t.union([t.literal('sync'), t.literal('os'), t.literal('memory')]),
  isFinished: t.boolean,
  /** Its removal has begun: whatever is left of it is to be removed too. */
  isRemoved: t.union([t.boolean, t.undefined]),
  /** How its kills stand; undefined when it was begun without any. */
  kills: t.union([KillStory, t.undefined]),
  /** What the start that finished the run did. */
  work: t.union([WorkRecord, t.undefined]),
})
/** What a directory remembers of its run. */
export type RunRecord = t.TypeOf<typeof RunRecord>

const RECORD = 'run.json'
/** Everything that a run makes beside its record; nothing else is ever removed. */
const MADE = ['log', 'intake', 'printed.txt', 'report.html', 'verdict.json']

/** The record of the run in `path`, or undefined when there is none. Throws DIRECTORY_FOREIGN. */
export function readRun(path: string): RunRecord | undefined {
  if (!existsSync(path)) return undefined
  const names = readdirSync(path)
  if (!names.includes(RECORD)) {
    // A start that died before its first record leaves at most the lock behind, or a claim to it.
    if (names.every((name) => /^owner(\.|$)/.test(name) || name.startsWith('.'))) return undefined
    throw new DemoError('DIRECTORY_FOREIGN', { path })
  }
  let value: unknown
  try {
    value = JSON.parse(readFileSync(join(path, RECORD), 'utf8'))
  } catch {
    throw new DemoError('DIRECTORY_FOREIGN', { path })
  }
  const record = RunRecord.decode(value)
  if (E.isLeft(record)) throw new DemoError('DIRECTORY_FOREIGN', { path })
  return record.right
}

function syncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Makes the record durable, in place of an earlier one. */
export function writeRun(path: string, record: RunRecord): void {
  mkdirSync(path, { recursive: true })
  const next = join(path, `.${RECORD}.next`)
  const file = openSync(next, 'w')
  try {
    writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(next, join(path, RECORD))
  // Windows has no directories to sync.
  if (process.platform !== 'win32') syncPath(path)
}

/**
 * Removes a run and leaves the directory. Its record goes last, marked before anything else goes,
 * so that a removal that was cut short is still known as this demo's and is gone on with.
 */
export function removeRun(path: string, record: RunRecord): void {
  try {
    writeRun(path, { ...record, isRemoved: true })
  } catch {
    // A full disk takes no mark, and must not keep the run from being removed.
  }
  for (const name of MADE) rmSync(join(path, name), { recursive: true, force: true })
  rmSync(join(path, RECORD), { force: true })
}

/** Refuses to go on with other options than those that the run was begun with. */
export function checkSame(path: string, record: RunRecord, given: Options, fileHash: string): void {
  const progress = record.isFinished ? 'finished' : 'half-done'
  const differ = (what: string, recorded: string | number, other: string | number): void => {
    if (recorded === other) return
    throw new DemoError('OTHER_RUN', { path, progress, what, recorded, given: other })
  }
  differ('the file hash', record.fileHash.slice(0, 16), fileHash.slice(0, 16))
  if (given.orders !== undefined) differ('--orders', record.orders, given.orders)
  if (given.durability !== undefined) differ('--durability', record.durability, given.durability)
  const { kills, seed } = record.kills ?? { kills: 0, seed: SEED_DEFAULT }
  if (given.kills !== undefined) differ('--kills', kills, given.kills)
  if (given.seed !== undefined && kills > 0) differ('--seed', seed, given.seed)
}

/** Throws BAD_ARGUMENT for a half-done run whose acknowledged work was never meant to last. */
export function checkResumable(path: string, durability: Durability): void {
  if (durability !== 'memory') return
  const what =
    `${path} holds a half-done run with --durability memory, which can't be resumed; ` +
    'remove the directory or choose another with --dir'
  throw new DemoError('BAD_ARGUMENT', { what })
}
