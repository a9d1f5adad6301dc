/**
 * What a person decides about a saga that waits: try again, take what it waits for as over, or say
 * what it came to. Nothing is done that the saga could not have come to by itself.
 */
import * as E from 'fp-ts/lib/Either.js'
import { undoAgain, undoing, undoNext } from './backward.js'
import { stepOf } from './definition.js'
import { beginStage, finishStep, goOn, resend, running } from './forward.js'
import type { InboxMessage } from './inbox.js'
import { ask, happen, type InputOf, park, reportOf, type Turn } from './turn.js'

type Operator = InputOf<'operator'>

/** The names of the steps that the saga is at, forwards or back. */
function current({ draft: { state } }: Turn): readonly string[] {
  return state.steps
    .entries()
    .filter(([, { status }]) => status === 'started' || status === 'undoing')
    .map(([name]) => name)
}

function retry(turn: Turn): void {
  const { steps, loops, phase } = turn.draft.state
  const isUnbegun = steps.size + Object.keys(loops).length === 0
  if (phase === 'running' && isUnbegun) return beginStage(turn, 0)
  for (const name of current(turn)) {
    const waiting = running(turn, name)
    // A signal comes by itself, and a lock is asked for already.
    if (waiting?.step.action.kind === 'remote' || waiting?.step.action.kind === 'local')
      resend(turn, waiting, true)
    const back = undoing(turn, name)
    if (back !== undefined) undoAgain(turn, back, true)
  }
}

function skip(turn: Turn, name: string, by: string): void {
  const back = undoing(turn, name)
  if (back !== undefined) {
    happen(turn, { type: 'UndoSkipped', data: { step: name, why: `skipped by ${by}` } })
    return undoNext(turn)
  }
  const waiting = running(turn, name)
  if (waiting === undefined) return
  if (waiting.step.limit !== undefined) ask(turn, { kind: 'release', step: waiting.step, name })
  happen(turn, { type: 'StepSkipped', data: { step: name } })
  goOn(turn, waiting.step, name)
}

function resolve(turn: Turn, name: string, input: Operator): void {
  const waiting = running(turn, name)
  if (waiting === undefined) return skip(turn, name, input.by)
  const read = waiting.step.out.decode(input.result)
  if (E.isRight(read)) return finishStep(turn, waiting, input.result)
  park(turn, `the result given for ${name} does not fit: ${reportOf(read.left)}`, input)
}

/** Kept messages that tell something new; times and turns are asked for anew. */
type News = InputOf<'done' | 'refused' | 'undone' | 'signal' | 'deadline' | 'revoke' | 'granted'>
const news: readonly InboxMessage['kind'][] = [
  'done',
  'refused',
  'undone',
  'signal',
  'deadline',
  'revoke',
  'granted',
]
const isNews = (message: InboxMessage): message is News => news.includes(message.kind)

/** `again` is how a message that was kept is heard once more. */
export function onOperator(turn: Turn, input: Operator, again: (message: News) => void): void {
  const { keptMessages } = turn.draft.state
  const [only, ...others] = current(turn)
  const name = input.step ?? (others.length === 0 ? only : undefined)
  const isKnown = name !== undefined && stepOf(turn.definition, name) !== undefined
  if (input.action !== 'retry' && !isKnown) return
  happen(turn, { type: 'Resumed', data: { by: input.by } })
  if (input.action === 'skip' && name !== undefined) skip(turn, name, input.by)
  if (input.action === 'resolve' && name !== undefined) resolve(turn, name, input)
  for (const message of keptMessages) {
    if (turn.draft.state.parked !== undefined) park(turn, turn.draft.state.parked, message)
    else if (isNews(message)) again(message)
  }
  if (input.action === 'retry' && turn.draft.state.parked === undefined) retry(turn)
}
