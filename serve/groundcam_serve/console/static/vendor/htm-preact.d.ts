// What the page uses of htm-preact.js, for editors and for tsc.
type Setter<T> = (value: T | ((before: T) => T)) => void;
export function html(strings: TemplateStringsArray, ...values: any[]): any;
export function render(what: any, where: Element): void;
export function useState<T>(initial: T | (() => T)): [T, Setter<T>];
export function useEffect(effect: () => void | undefined | (() => void), inputs?: any[]): void;
export function useLayoutEffect(effect: () => void | undefined | (() => void), inputs?: any[]): void;
export function useRef<T>(initial: T): { current: T };
