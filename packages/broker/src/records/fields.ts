/**
 * The small fields that facts are made of, written and read in order: whole numbers, text, lists.
 * It owns no record layout; each record file states its own.
 *
 *   text    u16 bytes, UTF-8            number  u53 as two u32, high first
 *   blob    u16 bytes, any
 */
import { assert } from '@sagalog/kernel'

const HIGH = 0x1_0000_0000

/** Bytes that a writer begins with: most facts fit. */
const FIRST_BYTES = 128

export class FieldWriter {
  private target = Buffer.allocUnsafe(FIRST_BYTES)
  private used = 0

  number(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'a field is a whole number')
    const at = this.room(8)
    this.target.writeUInt32BE(Math.floor(value / HIGH), at)
    this.target.writeUInt32BE(value >>> 0, at + 4)
    return this
  }

  text(value: string): this {
    const bytes = Buffer.byteLength(value)
    assert(bytes <= 0xffff, 'a text field is at most 65,535 bytes')
    const at = this.room(2 + bytes)
    this.target.writeUInt16BE(bytes, at)
    this.target.write(value, at + 2)
    return this
  }

  blob(value: Buffer): this {
    assert(value.length <= 0xffff, 'a blob field is at most 65,535 bytes')
    const at = this.room(2 + value.length)
    this.target.writeUInt16BE(value.length, at)
    this.target.set(value, at + 2)
    return this
  }

  numbers(values: readonly number[]): this {
    this.number(values.length)
    for (const value of values) this.number(value)
    return this
  }

  bytes(value: Buffer): this {
    this.target.set(value, this.room(value.length))
    return this
  }

  /** What was written; nothing more is. */
  done(): Buffer {
    return this.target.subarray(0, this.used)
  }

  /** Makes room for so many bytes, and gives where they begin. */
  private room(bytes: number): number {
    const at = this.used
    this.used += bytes
    if (this.used <= this.target.length) return at
    const larger = Buffer.allocUnsafe(Math.max(this.used, 2 * this.target.length))
    larger.set(this.target.subarray(0, at))
    this.target = larger
    return at
  }
}

/** Reads what a `FieldWriter` wrote; the record's checksum has been verified before. */
export class FieldReader {
  private readonly source: Buffer
  private at: number
  private readonly limit: number

  constructor(source: Buffer, at: number, limit: number) {
    this.source = source
    this.at = at
    this.limit = limit
  }

  number(): number {
    assert(this.at + 8 <= this.limit, 'a field stays inside its record')
    const value = this.source.readUInt32BE(this.at) * HIGH + this.source.readUInt32BE(this.at + 4)
    this.at += 8
    return value
  }

  text(): string {
    const start = this.sized()
    return this.source.toString('utf8', start, this.at)
  }

  /** Passes over a text. */
  skipText(): void {
    this.sized()
  }

  /** A copy of the bytes. */
  blob(): Buffer {
    const start = this.sized()
    return Buffer.from(this.source.subarray(start, this.at))
  }

  /** Passes over a length and so many bytes; gives where those begin. */
  private sized(): number {
    assert(this.at + 2 <= this.limit, 'a field stays inside its record')
    const length = this.source.readUInt16BE(this.at)
    const start = this.at + 2
    assert(start + length <= this.limit, 'a field stays inside its record')
    this.at = start + length
    return start
  }

  get hasMore(): boolean {
    return this.at < this.limit
  }

  numbers(): number[] {
    const count = this.number()
    assert(count <= (this.limit - this.at) / 8, 'a list stays inside its record')
    const values: number[] = []
    for (let i = 0; i < count; i += 1) values.push(this.number())
    return values
  }

  /** Passes over so many bytes; gives where they end. */
  skip(count: number): number {
    assert(this.at + count <= this.limit, 'a field stays inside its record')
    this.at += count
    return this.at
  }

  /** Where the next field would start. */
  get index(): number {
    return this.at
  }
}
