/** The entries of several lists in one order: what lies in many queues, as it was written. */
import { type Position } from '@sagalog/kernel'
import type { PositionList } from './position-list.js'

/** Entries of a list from index `at` up to `end`; never empty. */
export interface ListPart {
  readonly list: PositionList
  at: number
  readonly end: number
}

const headOf = ({ at, list }: ListPart): Position => list.at(at)

/** The lowest entries of all parts in order, at most `count`. Moves the parts on. */
export function lowestOf(parts: ListPart[], count: number): Position[] {
  const found: Position[] = []
  // A heap by the next entry of each part: the lowest is at index 0.
  const heads = parts.map(headOf)
  for (let index = (parts.length >> 1) - 1; index >= 0; index -= 1) sink(parts, heads, index)
  while (found.length < count) {
    const [part] = parts
    const [head] = heads
    if (part === undefined || head === undefined) break
    found.push(head)
    part.at += 1
    if (part.at < part.end) heads[0] = headOf(part)
    else removeFirst(parts, heads)
    sink(parts, heads, 0)
  }
  return found
}

function removeFirst(parts: ListPart[], heads: Position[]): void {
  const [part, head] = [parts.pop(), heads.pop()]
  if (part === undefined || head === undefined || parts.length === 0) return
  parts[0] = part
  heads[0] = head
}

function sink(parts: ListPart[], heads: Position[], from: number): void {
  for (let at = from; ;) {
    let lowest = at
    for (let child = 2 * at + 1; child <= 2 * at + 2 && child < heads.length; child += 1)
      if ((heads[child] as Position) < (heads[lowest] as Position)) lowest = child
    if (lowest === at) return
    const [part, head] = [parts[at] as ListPart, heads[at] as Position]
    parts[at] = parts[lowest] as ListPart
    heads[at] = heads[lowest] as Position
    parts[lowest] = part
    heads[lowest] = head
    at = lowest
  }
}
