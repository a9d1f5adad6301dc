/**
 * The states of a saga's steps by name, in the order in which they were begun. It never changes: a
 * step that moves on gives a new one, which shares what is the same, so that a saga of thousands of
 * steps pays for each step what a short one pays.
 *
 * Invariant: the first `size` names of the shared list are this one's, each at its own number. Only
 * the newest of a line adds to that list; any other takes a copy first.
 */
import { assert } from '@sagalog/kernel'
import type { StepState } from './evolve.js'

const PART = 32

interface Names {
  readonly list: string[]
  readonly numbers: Map<string, number>
}

export interface StepStates {
  readonly size: number
  get(name: string): StepState | undefined
  /** The same with one step begun, or moved on. */
  with(name: string, state: StepState): StepStates
  names(): readonly string[]
  entries(): readonly (readonly [name: string, state: StepState])[]
  toJSON(): Readonly<Record<string, StepState>>
}

class PartedStates implements StepStates {
  readonly size: number
  readonly #names: Names
  /** The states by number, `PART` to a part. */
  readonly #parts: readonly (readonly StepState[])[]

  constructor(names: Names, parts: readonly (readonly StepState[])[], size: number) {
    this.#names = names
    this.#parts = parts
    this.size = size
  }

  get(name: string): StepState | undefined {
    const number = this.#names.numbers.get(name)
    return number === undefined || number >= this.size ? undefined : this.#at(number)
  }

  with(name: string, state: StepState): StepStates {
    const number = this.#names.numbers.get(name)
    if (number !== undefined && number < this.size) {
      return new PartedStates(this.#names, this.#replaced(number, state), this.size)
    }
    return new PartedStates(this.#named(name), this.#replaced(this.size, state), this.size + 1)
  }

  names(): readonly string[] {
    return this.#names.list.slice(0, this.size)
  }

  entries(): readonly (readonly [name: string, state: StepState])[] {
    return this.names().map((name, number) => [name, this.#at(number)])
  }

  toJSON(): Readonly<Record<string, StepState>> {
    return Object.fromEntries(this.entries())
  }

  #at(number: number): StepState {
    const state = this.#parts[Math.floor(number / PART)]?.[number % PART]
    assert(state !== undefined, 'every number below the size has its state')
    return state
  }

  #replaced(number: number, state: StepState): readonly (readonly StepState[])[] {
    const parts = [...this.#parts]
    const part = [...(parts[Math.floor(number / PART)] ?? [])]
    part[number % PART] = state
    parts[Math.floor(number / PART)] = part
    return parts
  }

  /** The names with this one at number `size`. */
  #named(name: string): Names {
    const { list } = this.#names
    if (list[this.size] === name) return this.#names
    const isNewest = list.length === this.size && this.size > 0
    const own = isNewest ? this.#names : copyOf(list.slice(0, this.size))
    own.list.push(name)
    own.numbers.set(name, this.size)
    return own
  }
}

export const noSteps: StepStates = new PartedStates(copyOf([]), [], 0)

export function stepStatesOf(
  entries: Iterable<readonly [name: string, state: StepState]>,
): StepStates {
  let all = noSteps
  for (const [name, state] of entries) all = all.with(name, state)
  return all
}

function copyOf(list: string[]): Names {
  return { list, numbers: new Map(list.map((name, number) => [name, number])) }
}
