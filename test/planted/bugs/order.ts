/** Bugs that break what the order property promises. */
import { ORDER, type PlantedBug } from '../planted-bug.js'

export const orderBugs: readonly PlantedBug[] = [
  {
    name: 'reply-before-durable',
    promise: 'audit-early-replies',
    file: 'packages/broker/src/outbox.ts',
    find: 'if (item.end <= this.log.watermark(this.level)) {',
    replace: "if (item.end <= this.log.watermark('memory')) {",
    test: ORDER,
  },
  {
    name: 'acknowledged-while-writing',
    promise: 'no-acknowledged-loss',
    file: 'packages/broker/src/outbox.ts',
    find: 'const reached = this.log.watermark(this.level)',
    replace: "const reached = this.log.watermark('memory')",
    test: ORDER,
  },
  {
    name: 'segment-entry-not-synced',
    promise: 'no-acknowledged-loss',
    file: 'packages/log-core/src/segment.ts',
    find: '    await plan.disk.syncDirectory(plan.directory)\n',
    replace: '',
    test: ORDER,
  },
  {
    name: 'key-by-turns',
    promise: 'order-per-key',
    file: 'packages/client/src/routes.ts',
    find: 'if (message.shardingKey !== undefined) return queueForKey(message.shardingKey, queues)',
    replace: "if (queues < 0) return queueForKey(message.shardingKey ?? '', queues)",
    test: ORDER,
  },
  {
    name: 'orderly-runs-ahead',
    promise: 'order-per-key',
    file: 'packages/client/src/queue-worker.ts',
    find: 'orderly: 1,',
    replace: 'orderly: 2,',
    test: ORDER,
  },
  {
    name: 'wake-before-safe',
    promise: 'nothing-unsafe-delivered',
    file: 'packages/broker/src/requests/pull-message.ts',
    find: 'safeCount(queue, log.watermark(settings.durability))',
    replace: "safeCount(queue, log.watermark('memory'))",
    test: ORDER,
  },
  {
    name: 'failed-sync-ignored',
    promise: 'audit-early-replies',
    file: 'packages/log-core/src/flush.ts',
    find: 'done += await segment.file.write(buffer.subarray(done, to), place + (done - from))',
    replace:
      'done += await segment.file.write(buffer.subarray(done, to), place + (done - from)).catch(() => to - done)',
    test: ORDER,
  },
  {
    // The log that it leaves is refused as damaged: what was durable is not there any more.
    name: 'tail-kept-from-the-page-cache',
    promise: 'boot',
    file: 'packages/log-core/src/recovery.ts',
    find: '    await writeFully(file, block, place)\n',
    replace: '',
    test: ORDER,
  },
  {
    name: 'gone-before-a-group-has-it',
    promise: 'effects-once',
    file: 'packages/broker/src/expiry.ts',
    find: 'needed === undefined || needed.offset >= old ? old : needed.offset',
    replace: 'needed === undefined || needed.offset >= 0 ? old : needed.offset',
    test: ORDER,
  },
]
