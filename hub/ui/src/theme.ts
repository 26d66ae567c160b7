// Runs before the first paint, alone: a page in the wrong colours for a moment is a flash.
try {
  const theme = localStorage.getItem("beacon.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // no storage: the system's theme
}
