/**
 * What a saga sends, made from the effects of a decision: commands, timers, messages to itself.
 * Made completely before anything is put into a transaction, because the functions that make
 * commands are the user's and may throw.
 */
import type { Topic, Tx } from '@sagalog/client'
import { assert, unreachable } from '@sagalog/kernel'
import type { Effect } from './decide.js'
import type { SagaDefinition, StepDefinition, StepMeta } from './definition.js'
import type { SagaState } from './evolve.js'
import type { InboxMessage } from './inbox.js'
import { commandProperties, stepKey } from './participant.js'
import { contextOf, doneOf } from './step-context.js'

/** Something that is ready to be put into a transaction. */
export type Outgoing = (tx: Tx) => void

/** One saga, as its effects see it. */
export interface Sender {
  readonly definition: SagaDefinition
  readonly sagaId: string
  readonly state: SagaState
}

/** The key of the queue in which all stands that the saga hears. */
export function shardOf({ sagaId, state }: Sender): string {
  return state.lane?.key ?? sagaId
}

export function metaOf(sagaId: string, step: StepDefinition): StepMeta {
  return { key: stepKey(sagaId, step.name), sagaId, step: step.name }
}

/** Unique among all timers: definitions may have sagas of the same id. */
function timerId({ definition, sagaId }: Sender, step: StepDefinition, attempt: number): string {
  const id = `${definition.name}/${stepKey(sagaId, step.name)}`
  return attempt === 1 ? id : `${id}/${attempt}`
}

/** A body that is encoded already, for the topic of its command. */
function encoded(to: Topic<unknown>, body: unknown): Topic<unknown> {
  const bytes = to.encode(body)
  return { ...to, encode: () => bytes }
}

function command(sender: Sender, step: StepDefinition, action: 'run' | 'undo'): Outgoing {
  const { definition, sagaId, state } = sender
  const remote = step.action
  assert(remote.kind === 'remote', 'a command belongs to a remote step')
  const context = contextOf(definition, state, step)
  const meta = metaOf(sagaId, step)
  const body =
    action === 'run' ? remote.run(context, meta) : remote.undo?.(context, doneOf(state, step), meta)
  const to = encoded(remote.to, body)
  const laneKey = shardOf(sender)
  const properties = commandProperties({
    saga: definition.name,
    sagaId,
    step: step.name,
    action,
    laneKey,
    replyTo: definition.inbox.name,
  })
  return (tx) => tx.send(to, body, { shardingKey: laneKey, properties })
}

function timer(sender: Sender, step: StepDefinition, attempt: number): Outgoing {
  const { definition, sagaId, state } = sender
  const delayMs = step.action.timeoutMs?.(contextOf(definition, state, step))
  assert(
    delayMs !== undefined && Number.isFinite(delayMs) && delayMs >= 0,
    `the timeout of ${step.name} is a number of milliseconds`,
  )
  const message: InboxMessage = { kind: 'timeout', sagaId, step: step.name, attempt }
  const shardingKey = shardOf(sender)
  return (tx) =>
    tx.schedule(timerId(sender, step, attempt), delayMs, definition.inbox, message, { shardingKey })
}

/** Throws what the user's functions throw. */
export function outgoingOf(sender: Sender, effect: Effect): Outgoing {
  const { step } = effect
  switch (effect.kind) {
    case 'command':
      return command(sender, step, effect.action)
    case 'timer':
      return timer(sender, step, effect.attempt)
    case 'cancel-timer': {
      const id = timerId(sender, step, effect.attempt)
      return (tx) => tx.cancel(id)
    }
    case 'act': {
      const { definition, sagaId } = sender
      const message: InboxMessage = { kind: 'continue', sagaId, step: step.name }
      const shardingKey = shardOf(sender)
      return (tx) => tx.send(definition.inbox, message, { shardingKey })
    }
    default:
      return unreachable(effect)
  }
}
