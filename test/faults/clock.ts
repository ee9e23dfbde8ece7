/**
 * Loaded before the program: after so many milliseconds the clock of this process jumps by so many seconds, as a time
 * server or a resumed virtual machine makes it do. `FAULTS_CLOCK=<ms>:<s>`. Timers and performance.now go on as they do.
 */
const [afterMs = 0, jumpSeconds = 0] = (process.env['FAULTS_CLOCK'] ?? '').split(':').map(Number)
const RealDate = Date
const start = performance.now()
const now = (): number => RealDate.now() + (performance.now() - start >= afterMs ? jumpSeconds * 1000 : 0)

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], made) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, made) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, key) => (key === 'now' ? now : (Reflect.get(target, key) as unknown)),
})
