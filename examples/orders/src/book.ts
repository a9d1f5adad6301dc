/**
 * The intake's own book, outside the log: an entry {order, half id} for each half message it stands
 * behind. An entry counts once it is durable. Entries that are added together make one line, with
 * one checksum, one write and one sync, so only the last line can ever be torn. Invariant: an order
 * has at most one entry, so at most one half of an order can ever be committed.
 */
import { crc32 } from 'node:zlib'
import { assert, defineErrors, type Disk, type DiskFile } from '@sagalog/kernel'

export const BookError = defineErrors('BookError', {
  DAMAGED: {
    text: 'line {line} of {path} is damaged',
    advice: 'Only the last line may be torn by a crash; look at the disk.',
    retry: 'never',
    state: 'unchanged',
  },
  FAILED: {
    text: 'an entry could not be made durable in {path}',
    advice: 'Look at the disk; start again to go on from what is durable.',
    retry: 'after-reopen',
    state: 'unknown',
  },
})

export interface BookEntry {
  readonly order: number
  readonly half: string
}

export interface Book {
  /** Every durable entry, in the order in which they were made. */
  readonly entries: readonly BookEntry[]
  /** Syncs made so far; fewer than entries when they were shared. */
  readonly syncs: number
  /** Bytes of a torn last line that were cut when the book was opened. */
  readonly cutBytes: number
  /** The half that the book names for an order. */
  halfOf(order: number): string | undefined
  /** Resolves once the entry is durable. */
  add(entry: BookEntry): Promise<void>
  close(): Promise<void>
}

export interface BookOptions {
  readonly disk: Disk
  readonly directory: string
  /** False leaves durability to the operating system. */
  readonly isSynced?: boolean
}

const FILE = 'intake.book'

/** `order half order half ... checksum`, ended by a newline. */
function lineOf(entries: readonly BookEntry[]): string {
  const text = entries.map(({ order, half }) => `${order} ${half}`).join(' ')
  return `${text} ${checksumOf(text)}\n`
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

function entriesOf(line: string): readonly BookEntry[] | undefined {
  const text = line.slice(0, -9)
  if (line.slice(-9) !== ` ${checksumOf(text)}`) return undefined
  const fields = text.split(' ')
  const entries: BookEntry[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    entries.push({ order: Number(fields[at]), half: fields[at + 1] ?? '' })
  }
  return entries
}

interface Content {
  readonly entries: BookEntry[]
  /** Where the last whole line ends. */
  readonly end: number
}

/** Reads a book's bytes. Only what follows the last whole line may be torn. */
function contentOf(bytes: Buffer, path: string): Content {
  const entries: BookEntry[] = []
  let end = 0
  let lines = 0
  for (;;) {
    const newline = bytes.indexOf(0x0a, end)
    if (newline < 0) return { entries, end }
    const added = entriesOf(bytes.toString('utf8', end, newline))
    if (added === undefined) {
      // A torn sector can leave a line's end without its middle, but nothing can follow it.
      if (newline + 1 === bytes.length) return { entries, end }
      throw new BookError('DAMAGED', { path, line: lines + 1 })
    }
    entries.push(...added)
    lines += 1
    end = newline + 1
  }
}

async function readAll(file: DiskFile): Promise<Buffer> {
  const bytes = Buffer.alloc(await file.size())
  let at = 0
  while (at < bytes.length) {
    const taken = await file.read(bytes.subarray(at), at)
    if (taken === 0) break
    at += taken
  }
  return bytes.subarray(0, at)
}

async function openFile(options: BookOptions): Promise<DiskFile> {
  const { disk, directory } = options
  await disk.makeDirectory(directory)
  const isThere = (await disk.list(directory)).includes(FILE)
  const sync = options.isSynced === false ? 'on-demand' : 'each-write'
  const file = await disk.open(`${directory}/${FILE}`, {
    access: isThere ? 'write' : 'create',
    sync,
  })
  if (!isThere) await disk.syncDirectory(directory)
  return file
}

/** Opens the book, cutting a torn last line. Rejects with DAMAGED when an earlier line is bad. */
export async function openBook(options: BookOptions): Promise<Book> {
  const file = await openFile(options)
  const bytes = await readAll(file)
  const content = contentOf(bytes, file.path)
  const { end } = content
  if (end < bytes.length) await file.truncate(end)
  await file.adopt(end)
  const isSynced = options.isSynced !== false
  return new SharedBook(file, content, { isSynced, cutBytes: bytes.length - end })
}

interface BookState {
  readonly isSynced: boolean
  readonly cutBytes: number
}

interface Waiting {
  readonly entry: BookEntry
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

class SharedBook implements Book {
  readonly entries: BookEntry[]
  readonly cutBytes: number
  syncs = 0
  readonly #file: DiskFile
  readonly #isSynced: boolean
  readonly #byOrder: Map<number, string>
  #end: number
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #hasFailed = false

  constructor(file: DiskFile, { entries, end }: Content, options: BookState) {
    this.#file = file
    this.#isSynced = options.isSynced
    this.entries = entries
    this.#byOrder = new Map(entries.map((entry) => [entry.order, entry.half]))
    this.#end = end
    this.cutBytes = options.cutBytes
    assert(this.#byOrder.size === entries.length, 'an order stands in the book once')
  }

  halfOf(order: number): string | undefined {
    return this.#byOrder.get(order)
  }

  add(entry: BookEntry): Promise<void> {
    assert(!this.#byOrder.has(entry.order), 'an order is booked once')
    if (this.#hasFailed) {
      return Promise.reject(new BookError('FAILED', { path: this.#file.path }))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async #writeAll(): Promise<void> {
    // One turn of waiting lets everything that is added in this turn share the sync.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#write(Buffer.from(lineOf(batch.map(({ entry }) => entry))))
      } catch (cause) {
        this.#hasFailed = true
        const error = new BookError('FAILED', { path: this.#file.path }, { cause })
        for (const { reject } of [...batch, ...this.#waiting.splice(0)]) reject(error)
        break
      }
      for (const { entry, resolve } of batch) {
        this.#byOrder.set(entry.order, entry.half)
        this.entries.push(entry)
        resolve()
      }
    }
    this.#writing = undefined
  }

  async #write(bytes: Buffer): Promise<void> {
    let at = 0
    while (at < bytes.length) at += await this.#file.write(bytes.subarray(at), this.#end + at)
    this.#end += bytes.length
    if (this.#isSynced) this.syncs += 1
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }
}
