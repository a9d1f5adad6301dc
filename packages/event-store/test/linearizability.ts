/**
 * Was there an order of all operations on one stream, each at an instant between its call and its
 * answer, in which an append is taken exactly when the version is as expected?
 *
 * Each event is unique and tells its append, so the stream itself gives the only order of the
 * appends that happened, and what is left is to place their instants: `checkStream` does that in
 * O(n log n), and is complete. `searchStream` tries orders one after the other, after Wing and Gong
 * (Testing and Verifying Concurrent Objects, 1993) with Lowe's memory of visited states; it knows
 * nothing of the stream's content but its length, and is the second opinion on small histories.
 */
export type Expected = 'any' | 'empty' | 'exists' | number

export interface Operation {
  readonly id: string
  /** Counted up over calls and answers together; an answer that never came is Infinity. */
  readonly called: number
  readonly answered: number
  /** Undefined for a read. */
  readonly append?: { readonly expected: Expected; readonly count: number }
  readonly result:
    | { readonly kind: 'appended'; readonly version: number }
    | { readonly kind: 'conflict'; readonly version: number }
    | { readonly kind: 'read'; readonly version: number }
    /** It may have happened, or may still. */
    | { readonly kind: 'unknown' }
    /** It certainly did not happen. */
    | { readonly kind: 'none' }
}

const meets = (expected: Expected, version: number): boolean =>
  expected === 'any' ||
  (expected === 'empty' && version === 0) ||
  (expected === 'exists' && version > 0) ||
  expected === version

/** The stream as it is at the end: for each event the id of its append. */
export function checkStream(operations: readonly Operation[], stream: readonly string[]): string[] {
  const problems: string[] = []
  const byId = new Map(operations.map((operation) => [operation.id, operation]))
  const steps: { readonly operation: Operation; readonly base: number; readonly head: number }[] =
    []
  for (let at = 0; at < stream.length;) {
    const id = stream[at] ?? ''
    const operation = byId.get(id)
    const count = operation?.append?.count ?? 0
    if (operation === undefined || count === 0) return [`event ${at + 1} is of nobody: ${id}`]
    const own = stream.slice(at, at + count)
    if (own.length < count || own.some((other) => other !== id))
      return [`the events of ${id} from ${at + 1} on are not together`]
    steps.push({ operation, base: at, head: at + count })
    at += count
  }
  const done = new Set(steps.map(({ operation }) => operation.id))
  if (done.size < steps.length) problems.push('an append is there twice')
  for (const { base, head, operation } of steps) {
    const { append, id, result } = operation
    if (append !== undefined && !meets(append.expected, base))
      problems.push(`${id} was taken at ${base} and expected ${append.expected}`)
    if (result.kind === 'appended' && result.version !== head)
      problems.push(`${id} was told ${result.version} and stands at ${head}`)
    if (result.kind === 'conflict' || result.kind === 'none')
      problems.push(`${id} is there although it was told: ${result.kind}`)
  }
  // The instants: each step between its call and its answer, in order; who saw a version was asked
  // before it ended and answered after it began.
  const heads = new Map([[0, 0], ...steps.map(({ head }, index) => [head, index + 1] as const)])
  const seenFrom = new Array<number>(steps.length + 1).fill(Number.NEGATIVE_INFINITY)
  const seenTo = new Array<number>(steps.length + 1).fill(Number.POSITIVE_INFINITY)
  for (const { answered, append, called, id, result } of operations) {
    if (result.kind === 'appended' && !done.has(id)) problems.push(`${id} was told yes and is lost`)
    if (result.kind !== 'conflict' && result.kind !== 'read') continue
    const state = heads.get(result.version)
    if (state === undefined) {
      problems.push(`${id} saw version ${result.version}, which never was`)
      continue
    }
    if (append !== undefined && meets(append.expected, result.version))
      problems.push(`${id} was refused at ${result.version} and expected ${append.expected}`)
    seenFrom[state] = Math.max(seenFrom[state] ?? 0, called)
    seenTo[state] = Math.min(seenTo[state] ?? 0, answered)
  }
  let instant = Number.NEGATIVE_INFINITY
  for (const [index, { operation }] of steps.entries()) {
    instant = Math.max(instant, operation.called, seenFrom[index] ?? 0)
    const latest = Math.min(operation.answered, seenTo[index + 1] ?? 0)
    if (instant > latest)
      problems.push(`${operation.id} has no instant: not before ${instant}, not after ${latest}`)
  }
  return problems
}

/** The same question by search. Gives whether there is an order; for small histories. */
export function searchStream(operations: readonly Operation[], length: number): boolean {
  const visited = new Set<string>()
  const all = operations.filter(({ result }) => result.kind !== 'none')
  const mustBe = all.filter(({ result }) => result.kind !== 'unknown')

  function search(left: ReadonlySet<Operation>, version: number): boolean {
    if (version === length && mustBe.every((operation) => !left.has(operation))) return true
    const key = `${version}:${[...left].map(({ id }) => id).join(',')}`
    if (visited.has(key)) return false
    visited.add(key)
    const firstAnswer = Math.min(...[...left].map(({ answered }) => answered))
    for (const operation of left) {
      if (operation.called > firstAnswer) continue
      for (const next of outcomes(operation, version)) {
        const rest = new Set(left)
        rest.delete(operation)
        if (search(rest, next)) return true
      }
    }
    return false
  }
  return search(new Set(all), 0)
}

/** The versions after the operation when it takes its instant now; none when it can't. */
function outcomes({ append, result }: Operation, version: number): number[] {
  if (append === undefined)
    return result.kind === 'read' && result.version !== version ? [] : [version]
  const isTaken = meets(append.expected, version)
  const after = version + append.count
  if (result.kind === 'conflict') return !isTaken && result.version === version ? [version] : []
  if (result.kind === 'appended') return isTaken && result.version === after ? [after] : []
  // Unknown: it may also never happen.
  return isTaken ? [after, version] : [version]
}
