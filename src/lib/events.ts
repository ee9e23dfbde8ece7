/** Core code reports what it does through one of these; only the command layer turns events into text. */
export type Emit<Event> = (event: Event) => void

/** For callers that do not listen. */
export const silent: Emit<unknown> = () => undefined
