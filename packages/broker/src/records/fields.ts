/**
 * The small fields that facts are made of, written and read in order: whole numbers, text, lists.
 * It owns no record layout; each record file states its own.
 *
 *   text    u16 bytes, UTF-8            number  u53 as two u32, high first
 *   blob    u16 bytes, any
 */
import { assert } from '@sagalog/kernel'

const HIGH = 0x1_0000_0000

export class FieldWriter {
  private readonly parts: Buffer[] = []

  number(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'a field is a whole number')
    const part = Buffer.allocUnsafe(8)
    part.writeUInt32BE(Math.floor(value / HIGH), 0)
    part.writeUInt32BE(value >>> 0, 4)
    this.parts.push(part)
    return this
  }

  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8')
    assert(bytes.length <= 0xffff, 'a text field is at most 65,535 bytes')
    const length = Buffer.allocUnsafe(2)
    length.writeUInt16BE(bytes.length, 0)
    this.parts.push(length, bytes)
    return this
  }

  blob(value: Buffer): this {
    assert(value.length <= 0xffff, 'a blob field is at most 65,535 bytes')
    const length = Buffer.allocUnsafe(2)
    length.writeUInt16BE(value.length, 0)
    this.parts.push(length, value)
    return this
  }

  numbers(values: readonly number[]): this {
    this.number(values.length)
    for (const value of values) this.number(value)
    return this
  }

  done(): Buffer {
    return Buffer.concat(this.parts)
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
