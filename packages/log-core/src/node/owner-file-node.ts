/**
 * The `owner` file of a directory on Linux: the second guard, for processes that the first one (a
 * name in their network namespace) does not keep apart. It is made by a link from a file that is
 * whole already, so it is there completely or not at all, and names a socket in the directory that
 * listens before the file is there and is freed with its process, however that dies.
 *
 * A crash leaves the file and the socket; the next opener finds that nobody listens and takes over.
 * Of several that do so at the same instant one wins. A claim is never removed by another process,
 * only replaced, and only when its owner is certainly dead.
 */
import { link, open, readFile, readdir, readlink, rename, rm, statfs } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DiskError } from '@sagalog/kernel'
import { type Claim, decodeClaim, encodeClaim, isLocalDisk } from './owner-claim.js'
import { judgeClaim, type Owner, ownerText } from './owner-claim.js'

export const OWNER_NAME = 'owner'
const socketOf = (token: string): string => `${OWNER_NAME}.${token}.sock`
let claims = 0

/** Each try ends with our claim, with a living owner, or after somebody removed a dead claim. */
const TRIES = 8

/** Undefined when it can not be read. */
const textOf = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch(() => undefined)

/** The 22nd field of its line in /proc; undefined when there is no such process. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
  }
  // The name, in parentheses, may hold anything.
  const text = (await textOf(`/proc/${pid}/stat`)) ?? ''
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** This process, as its claim will say. */
async function ownerHere(): Promise<Owner> {
  const { pid } = process
  const boot = (await textOf('/proc/sys/kernel/random/boot_id'))?.trim() ?? ''
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  return { pid, started: (await startOf(pid)) ?? '', boot, namespace, host: hostname() }
}

/** Who has the directory, for people. */
export async function currentOwner(directory: string): Promise<string> {
  const claim = decodeClaim((await textOf(join(directory, OWNER_NAME))) ?? '')
  return ownerText(claim, await ownerHere())
}

/** What stands in the file where it guards nothing and only tells people. */
export async function ownerNote(): Promise<string> {
  return encodeClaim({ ...(await ownerHere()), token: 'note' })
}

export interface OwnerFile {
  remove(): Promise<void>
}

/** Claims the directory; fails with IN_USE when its owner lives, or may. */
export async function claimDirectory(directory: string): Promise<OwnerFile> {
  const here = await ownerHere()
  claims += 1
  const scope = here.namespace.replaceAll(/\D/g, '')
  const token = `${here.pid}-${scope}-${here.started}-${here.boot.slice(0, 8)}-${claims}`
  const folder = await open(directory, 'r')
  // The name of a socket may have about 100 bytes only; by way of the handle it is short.
  const reach = (name: string): string => `/proc/self/fd/${folder.fd}/${name}`
  const server = await listenAt(reach(socketOf(token)))
  async function giveUp(): Promise<void> {
    await closed(server)
    await rm(join(directory, socketOf(token)), { force: true })
    await folder.close()
  }
  try {
    const claim = { ...here, token }
    await publish(directory, claim, judgeIn(directory, claim, reach))
    await sweep(directory, token)
  } catch (error) {
    await giveUp()
    throw error
  }
  return {
    async remove() {
      await rm(join(directory, OWNER_NAME), { force: true })
      await giveUp()
    },
  }
}

/** A claim that stands in a file, as it was read. */
interface Found {
  readonly path: string
  readonly text: string
}

/** Makes the `owner` file, or takes it over from a claim that is certainly dead. */
async function publish(directory: string, claim: Claim, isDead: IsDead): Promise<void> {
  const path = join(directory, OWNER_NAME)
  const draft = `${path}.${claim.token}`
  await writeDraft(draft, claim)
  try {
    for (let tries = 0; tries < TRIES; tries += 1) {
      if (await linked(draft, path, claim)) return
      const found = await readClaim(path)
      // Its owner has just given it back.
      if (found === undefined) continue
      if (!(await isDead(found.text))) throw inUse(directory, found, claim)
      if (await takenOver({ directory, claim, draft, isDead }, found)) return
    }
  } finally {
    await rm(draft, { force: true })
  }
  throw inUse(directory, undefined, claim)
}

interface TakeOver {
  readonly directory: string
  readonly claim: Claim
  /** A file that holds the claim. */
  readonly draft: string
  readonly isDead: IsDead
}

/**
 * One successor of a dead claim may replace it: whoever makes the file that is named after it. A
 * successor that died before it was done has a successor itself. Whoever comes late, when the claim
 * that it judged is replaced already, sees that and gives way.
 */
async function takenOver(
  { directory, claim, draft, isDead }: TakeOver,
  dead: Found,
): Promise<boolean> {
  const path = join(directory, OWNER_NAME)
  const chain: Found[] = [dead]
  let successor = successorOf(path, dead)
  while (!(await linked(draft, successor, claim))) {
    const found = await readClaim(successor)
    if (found === undefined) return false
    if (!(await isDead(found.text))) throw inUse(directory, found, claim)
    chain.push(found)
    successor = successorOf(path, found)
  }
  for (const { path: from, text } of chain) {
    if ((await readClaim(from))?.text === text) continue
    await rm(successor, { force: true })
    return false
  }
  await rename(successor, path)
  return true
}

const successorOf = (path: string, { text }: Found): string =>
  `${path}.after.${decodeClaim(text)?.token ?? 'number'}`

const inUse = (path: string, found: Found | undefined, here: Owner): DiskError => {
  const owner = ownerText(decodeClaim(found?.text ?? ''), here)
  return new DiskError('IN_USE', { path, owner })
}

/** Undefined when it is not there. */
async function readClaim(path: string): Promise<Found | undefined> {
  try {
    return { path, text: await readFile(path, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

type IsDead = (text: string) => Promise<boolean>

function judgeIn(directory: string, here: Claim, reach: (name: string) => string): IsDead {
  return async (text) => {
    const found = decodeClaim(text)
    // Earlier versions wrote a bare number; the name in the network namespace guards those.
    if (found === undefined) return /^\d+\n?$/.test(text)
    const evidence = {
      socket: await askSocket(reach(socketOf(found.token))),
      startedNow: await startOf(found.pid),
      isLocalDisk: isLocalDisk((await statfs(directory)).type),
    }
    return judgeClaim(found, here, evidence) === 'dead'
  }
}

/** Synced: after a power loss a claim is there as a whole, or not at all. */
async function writeDraft(draft: string, claim: Claim): Promise<void> {
  const file = await open(draft, 'w')
  try {
    await file.writeFile(encodeClaim(claim))
    await file.sync()
  } finally {
    await file.close()
  }
}

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** False when there is such a file already, or when a new owner has swept the draft away. */
async function linked(draft: string, path: string, claim: Claim): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' || code === 'ENOENT') return false
    if (!NO_LINKS.has(code)) throw error
    return createdOnly(path, claim)
  }
}

/** Where a file system has no links: others may see it empty for a moment, and keep off. */
async function createdOnly(path: string, claim: Claim): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(encodeClaim(claim))
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Removes what earlier owners and openers left; whoever is opening now will find our claim. */
async function sweep(directory: string, token: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const isLeft = name.startsWith(`${OWNER_NAME}.`) && name !== socketOf(token)
    if (isLeft) await rm(join(directory, name), { force: true })
  }
}

/** Undefined on a file system that has no sockets. */
function listenAt(path: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(undefined))
    server.listen({ path }, () => resolve(server.unref()))
  })
}

const closed = (server: Server | undefined): Promise<void> =>
  new Promise((resolve) => {
    if (server === undefined) resolve()
    else server.close(() => resolve())
  })

function askSocket(path: string): Promise<'listens' | 'refuses' | 'missing'> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy()
      resolve('listens')
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      // No access and no room in its queue mean that it is there.
      if (code === 'ENOENT') resolve('missing')
      else resolve(code === 'ECONNREFUSED' ? 'refuses' : 'listens')
    })
  })
}
