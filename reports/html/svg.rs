//! A picture as inline SVG. In: shapes and texts. Out: markup that holds only geometry and presentation attributes: no style
//! attribute, no script, no reference to anything outside. Every text is escaped here and nowhere else.

use std::fmt::Write as _;

use crate::words::visible;

/// A picture under construction. Coordinates are pixels from the upper left corner.
#[derive(Debug, Default)]
pub(super) struct Svg {
    body: String,
}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How a shape looks. The class lets the style sheet repaint it; the colours are those of a page without one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub class: &'static str,
    pub fill: &'static str,
    pub stroke: &'static str,
    pub width: f64,
    pub opacity: f64,
    pub dash: bool,
}

impl Look {
    /// A filled shape without outline.
    pub const fn fill(class: &'static str, fill: &'static str) -> Self {
        Look { class, fill, stroke: "none", width: 1.0, opacity: 1.0, dash: false }
    }

    /// An outline without filling.
    pub const fn line(class: &'static str, stroke: &'static str, width: f64) -> Self {
        Look { class, fill: "none", stroke, width, opacity: 1.0, dash: false }
    }

    /// The same, see-through.
    pub const fn faint(self, opacity: f64) -> Self {
        Look { opacity, ..self }
    }

    /// The same, dashed.
    pub const fn dashed(self) -> Self {
        Look { dash: true, ..self }
    }

    /// The same, with an outline.
    pub const fn outlined(self, stroke: &'static str, width: f64) -> Self {
        Look { stroke, width, ..self }
    }
}

/// Text that is safe between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    handlebars::html_escape(&visible(text))
}

/// A coordinate with at most one decimal.
pub(super) fn at(value: f64) -> String {
    let text = format!("{:.1}", if value.is_finite() { value } else { 0.0 });
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// Writing to a string does not fail.
macro_rules! put {
    ($svg:expr, $($part:tt)*) => { write!($svg.body, $($part)*).expect("writing to a string does not fail") };
}

impl Svg {
    fn look(&mut self, look: Look) {
        put!(self, " class=\"{}\" fill=\"{}\"", look.class, look.fill);
        if look.stroke != "none" {
            put!(self, " stroke=\"{}\" stroke-width=\"{}\"", look.stroke, at(look.width));
        }
        if look.opacity < 1.0 {
            put!(self, " opacity=\"{:.2}\"", look.opacity);
        }
        if look.dash {
            put!(self, " stroke-dasharray=\"4 3\"");
        }
    }

    fn close(&mut self, name: &str, title: &str) {
        if title.is_empty() {
            put!(self, "/>\n");
        } else {
            put!(self, "><title>{}</title></{name}>\n", escape(title));
        }
    }

    /// A rectangle with rounded corners (`round` px) and a tooltip (none if empty).
    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), round: f64, look: Look, title: &str) {
        put!(self, "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", at(x), at(y), at(width.max(0.0)), at(height.max(0.0)));
        if round > 0.0 {
            put!(self, " rx=\"{}\"", at(round));
        }
        self.look(look);
        self.close("rect", title);
    }

    /// A straight line.
    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), look: Look, title: &str) {
        put!(self, "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"", at(x1), at(y1), at(x2), at(y2));
        self.look(look);
        self.close("line", title);
    }

    /// A disc.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, look: Look, title: &str) {
        put!(self, "<circle cx=\"{}\" cy=\"{}\" r=\"{}\"", at(x), at(y), at(radius));
        self.look(look);
        self.close("circle", title);
    }

    /// A path whose data is made by this crate, never from a text of the record.
    pub fn path(&mut self, data: &str, look: Look, title: &str) {
        if data.is_empty() {
            return;
        }
        put!(self, "<path d=\"{data}\" stroke-linejoin=\"round\"");
        self.look(look);
        self.close("path", title);
    }

    /// A text; `size` in px.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: f64, look: Look, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        put!(self, "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\" font-size=\"{}\"", at(x), at(y), at(size));
        self.look(look);
        put!(self, ">{}</text>\n", escape(text));
    }

    /// A text with a rim in the colour of the paper, so that lines under it do not cross it.
    pub fn rimmed_text(&mut self, (x, y): (f64, f64), size: f64, look: Look, text: &str) {
        let rim = "stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\" stroke-linejoin=\"round\"";
        put!(
            self,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" class=\"rim {}\" fill=\"{}\" {rim}>",
            at(x),
            at(y),
            at(size),
            look.class,
            look.fill
        );
        put!(self, "{}</text>\n", escape(text));
    }

    /// This picture with another one over it.
    pub fn followed_by(mut self, other: Svg) -> Svg {
        self.body.push_str(&other.body);
        self
    }

    /// The whole picture, with its name for readers that do not see it.
    pub fn finish(self, width: f64, height: f64, name: &str) -> Markup {
        let (width, height) = (at(width), at(height));
        Markup(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"system-ui, sans-serif\">\n<title>{}</title>\n{}</svg>",
            escape(name),
            self.body
        ))
    }
}

/// Markup that may stand in a page as it is. Only this file makes it.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(transparent)]
pub(super) struct Markup(String);

impl Markup {
    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// About how wide a text is, px: digits and letters of a proportional face.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    crate::words::columns(&visible(text)) as f64 * size * 0.56
}
