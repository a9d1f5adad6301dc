/** The metrics of `sagalog start`: served on the loopback from before the broker is open. */
import { BrokerError, type OnServed } from '@sagalog/broker'
import type { Disk } from '@sagalog/kernel'
import { exportMetrics, measuredDisk, type MetricsSource, serveMetrics } from '../metrics/index.js'
import type { CommandPorts } from './program.js'

export interface StartMetrics {
  /** What the broker has to write to, for its syncs to be measured. */
  readonly disk: Disk
  /** What the broker has to tell, for its requests to be measured. */
  readonly onServed: OnServed
  readonly port: number
  /** From now on these numbers are shown. */
  show(source: MetricsSource): void
  close(): Promise<void>
}

/** Rejects with BrokerError when the port can't be had or prom-client is not installed. */
export async function startMetrics(
  { clock, disk }: CommandPorts,
  port: number,
): Promise<StartMetrics> {
  const library = await import('prom-client').catch((cause: unknown) => {
    const must = 'left out where prom-client is not installed (npm install prom-client)'
    throw new BrokerError(
      'OPTION_INVALID',
      { name: '--metrics-port', must, value: port },
      { cause },
    )
  })
  const registry = new library.Registry()
  let shown: MetricsSource | undefined
  const { onServed, onSync } = exportMetrics(library, registry, () => shown)
  const server = await serveMetrics(registry, port)
  return {
    disk: measuredDisk(disk, clock, onSync),
    onServed,
    port: server.port,
    show(source) {
      shown = source
    },
    close: () => server.close(),
  }
}
