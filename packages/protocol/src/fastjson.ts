/**
 * Java writes some bodies with fastjson, whose maps have numbers and whole objects for keys. Here
 * they become standard JSON: such a key is put into quotes, an object as its own text.
 */
import { ProtocolError } from './errors.js'

/** Deeper than any body that RocketMQ writes. */
const DEPTH_MAX = 64
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y
const BARE = /[^\s,:{}[\]"]+/y
const SPACE = /\s*/y

/** The same text with all keys in quotes. Throws BODY_MALFORMED for what is no JSON even so. */
export function standardJson(text: string): string {
  return new Rewriting(text).run()
}

class Rewriting {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  run(): string {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) throw this.#malformed('more than one value')
    return value
  }

  #value(depth: number): string {
    this.#space()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#list(depth)
    return first === '"' ? this.#take(STRING) : this.#take(BARE)
  }

  #object(depth: number): string {
    return this.#items('}', depth, () => {
      this.#space()
      const isText = this.#text[this.#at] === '"'
      const key = this.#value(depth + 1)
      this.#space()
      if (this.#text[this.#at] !== ':') throw this.#malformed('a key without a value')
      this.#at += 1
      return `${isText ? key : JSON.stringify(key)}:${this.#value(depth + 1)}`
    })
  }

  #list(depth: number): string {
    return this.#items(']', depth, () => this.#value(depth + 1))
  }

  /** From the bracket that opens to the one that closes. */
  #items(end: '}' | ']', depth: number, item: () => string): string {
    if (depth > DEPTH_MAX) throw this.#malformed('too deep')
    const begin = this.#text[this.#at] ?? ''
    const items: string[] = []
    do {
      this.#at += 1
      this.#space()
      if (this.#text[this.#at] === end && items.length === 0) break
      items.push(item())
      this.#space()
    } while (this.#text[this.#at] === ',')
    if (this.#text[this.#at] !== end) throw this.#malformed(`no ${end}`)
    this.#at += 1
    return `${begin}${items.join(',')}${end}`
  }

  #space(): void {
    SPACE.lastIndex = this.#at
    SPACE.exec(this.#text)
    this.#at = SPACE.lastIndex
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    if (found === undefined) throw this.#malformed('no value')
    this.#at += found.length
    return found
  }

  #malformed(what: string): ProtocolError {
    return new ProtocolError('BODY_MALFORMED', { what, at: this.#at })
  }
}
