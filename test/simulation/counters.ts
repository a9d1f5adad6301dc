/** Counts what a run reached: faults of every sort, and what the log shows of their effects. */
import type { LogContents } from './history.js'
import type { World } from './world.js'

export type Counters = Readonly<Record<string, number>>

export function countersOf(world: World, { messages }: LogContents): Counters {
  const { guests, instances, machine, network, producers, settings } = world
  const counters: Record<string, number> = Object.fromEntries(world.reachedCounts)
  const add = (name: string, count: number): void => {
    counters[name] = (counters[name] ?? 0) + count
  }
  const addAll = (of: string, counts: object): void => {
    for (const [name, count] of Object.entries(counts)) add(of + name, Number(count))
  }
  add(`flavour ${settings.flavour}`, 1)
  addAll('broker ', machine.faults)
  addAll('disk ', machine.disk.faults)
  addAll('net ', network.faults)
  for (const { faults } of instances) addAll('instance ', faults)
  for (const { faults } of guests) addAll('', faults)
  for (const producer of producers) {
    add('sends acknowledged', producer.acknowledged)
    add('sends failed', producer.unknown)
  }
  for (const { topic, tries } of messages) {
    if (topic.startsWith('%RETRY%')) add('retries', 1)
    if (topic.startsWith('%DLQ%')) add(tries === 0 ? 'dead letters unread' : 'dead letters', 1)
  }
  add('rolls', machine.disk.paths().filter((path) => !path.endsWith('.ckpt')).length)
  return counters
}
