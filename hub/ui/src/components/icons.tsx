// Icons as inline SVG: nothing to fetch, and they take the colour of the text. Decoration: what they mean is said beside.
import type { ComponentChildren } from "preact";

function Icon({ children, size = 16 }: { children: ComponentChildren; size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const TracesIcon = () => (
  <Icon size={20}>
    <path d="M2 3.5h8M4 8h10M7 12.5h5" />
  </Icon>
);
export const DocsIcon = () => (
  <Icon size={20}>
    <path d="M5.5 4 2 8l3.5 4M10.5 4 14 8l-3.5 4" />
  </Icon>
);
export const SearchIcon = () => (
  <Icon>
    <circle cx="7" cy="7" r="4.2" />
    <path d="m10.2 10.2 3.6 3.6" />
  </Icon>
);
export const SystemIcon = () => (
  <Icon>
    <rect x="1.8" y="2.5" width="12.4" height="8.5" rx="1.2" />
    <path d="M5.5 14h5M8 11v3" />
  </Icon>
);
export const SunIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="3" />
    <path d="M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13" />
  </Icon>
);
export const MoonIcon = () => (
  <Icon>
    <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z" />
  </Icon>
);
export const HelpIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="6.2" />
    <path d="M6.2 6.2a1.9 1.9 0 1 1 2.6 1.8c-.5.2-.8.5-.8 1.1M8 11.4v.1" />
  </Icon>
);
export const CloseIcon = () => (
  <Icon>
    <path d="m4 4 8 8M12 4l-8 8" />
  </Icon>
);
export const ChevronIcon = () => (
  <Icon size={12}>
    <path d="m5 3 5 5-5 5" />
  </Icon>
);
export const CopyIcon = () => (
  <Icon size={14}>
    <rect x="5" y="5" width="8.5" height="9" rx="1.2" />
    <path d="M10.5 5V3.2c0-.7-.5-1.2-1.2-1.2H3.7c-.7 0-1.2.5-1.2 1.2v7c0 .7.5 1.2 1.2 1.2H5" />
  </Icon>
);
