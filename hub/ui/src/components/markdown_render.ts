// Markdown of an agent as elements: marked reads it, DOMPurify lets through what it names here and nothing else. Fetched
// when the first text is drawn. Markup in the text stays text; an image that is not in the text itself becomes a link.
import DOMPurify from "dompurify";
import { Marked } from "marked";

const TAGS =
  "p br hr h1 h2 h3 h4 h5 h6 strong em del code pre blockquote ul ol li table thead tbody tr th td a img".split(" ");

const PICTURE = /^data:image\/(?:png|jpeg|gif|webp|avif);base64,/i;
const LINK = /^(?:https?|mailto):/i;

const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escaped(text),
    image: ({ href, text }) =>
      PICTURE.test(href)
        ? `<img src="${escaped(href)}" alt="${escaped(text)}">`
        : `<a href="${escaped(href)}">image: ${escaped(text || href.slice(0, 200))}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

/** The elements of a markdown text. Throws where it cannot be read: nested beyond reason. */
export function elementsOf(markdown: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(marked.parse(markdown, { async: false }), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "src", "alt", "align", "start"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const image of fragment.querySelectorAll("img")) if (!PICTURE.test(image.src)) image.remove();
  for (const link of fragment.querySelectorAll("a")) {
    const href = link.getAttribute("href") ?? "";
    if (!LINK.test(href) || link.protocol === ":") {
      // an address of this page, one that no browser can read, or none: an agent does not say where a click leads here
      link.replaceWith(...link.childNodes);
      continue;
    }
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    link.title = href.slice(0, 500);
  }
  // a heading of an answer is none of the page
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const line = document.createElement("p");
    line.className = `md-${heading.tagName.toLowerCase()}`;
    line.append(...heading.childNodes);
    heading.replaceWith(line);
  }
  return fragment;
}
