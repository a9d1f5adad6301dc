/**
 * A saga as a step of another one: what the parent sends to begin it, and what the child sends back
 * when it ends. A child has the id of its parent and step, so that it is started once.
 */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { Codec, SagaDefinition, StepDefinition } from './definition.js'
import { loopIndex, loopName } from './definition.js'
import type { SagaState } from './evolve.js'
import type { InboxMessage, ParentRef } from './inbox.js'
import { keyProblem } from './printable-key.js'

/** The id of the child that a parent's step is. */
export const childId = ({ sagaId, step }: Pick<ParentRef, 'sagaId' | 'step'>): string =>
  `${sagaId}.${step}`

/** The start of a child; `input` is not encoded yet. Throws when it does not fit. */
export function childStart(
  child: SagaDefinition,
  input: unknown,
  parent: ParentRef,
): { readonly body: InboxMessage; readonly shardingKey: string } {
  if (!child.input.is(input)) throw new Error(`its input is not a ${child.input.name}`)
  const sagaId = childId(parent)
  const problem = keyProblem(sagaId)
  if (problem !== undefined) throw new Error(`its id ${sagaId} cannot be used: ${problem}`)
  const lane = child.laneOf(input)
  const body: InboxMessage = {
    kind: 'start',
    sagaId,
    input: child.input.encode(input),
    lane,
    parent,
  }
  return { body, shardingKey: lane?.key ?? sagaId }
}

/** Results by name of the step, as their codecs encoded them; of a loop a list. */
function resultsOf({ steps, loops }: SagaState): Readonly<Record<string, unknown>> {
  const one = (name: string): unknown => {
    const step = steps.get(name)
    return step?.status === 'done' ? step.result : null
  }
  const done = steps
    .entries()
    .filter(([name, { status }]) => status === 'done' && loopIndex(name) === undefined)
  const lists = Object.entries(loops).map(([name, count]) => {
    const results = Array.from({ length: count }, (_, index) => one(loopName(name, index)))
    return [name, results] as const
  })
  return Object.fromEntries([...done.map(([name]) => [name, one(name)] as const), ...lists])
}

/** How a child ended, for the parent's inbox. */
export function tellParent(
  state: SagaState,
  { sagaId, step }: ParentRef,
  outcome: 'done' | 'refused' | 'undone',
): InboxMessage {
  if (outcome === 'undone') return { kind: 'undone', sagaId, step }
  if (outcome === 'refused') return { kind: 'refused', sagaId, step, refusal: state.reason }
  return { kind: 'done', sagaId, step, result: resultsOf(state) }
}

function resultOf({ items, out }: StepDefinition, value: unknown): E.Either<t.Errors, unknown> {
  if (items === undefined) return out.decode(value)
  if (!Array.isArray(value)) return t.UnknownArray.decode(value)
  const results: unknown[] = []
  for (const one of value) {
    const read = out.decode(one)
    if (E.isLeft(read)) return read
    results.push(read.right)
  }
  return E.right(results)
}

/** The results of a child, by step, each by its own codec. */
export function resultsCodec(child: SagaDefinition): Codec {
  const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null
  const decode = (value: unknown): E.Either<t.Errors, unknown> => {
    if (!isRecord(value)) return t.UnknownRecord.decode(value)
    const results: Record<string, unknown> = {}
    for (const step of child.steps) {
      if (!Object.hasOwn(value, step.name)) continue
      const read = resultOf(step, value[step.name])
      if (E.isLeft(read)) return read
      results[step.name] = read.right
    }
    return E.right(results)
  }
  return { name: `results of ${child.name}`, decode, encode: (value) => value, is: isRecord }
}
