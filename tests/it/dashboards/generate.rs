//! Makes Grafana's JSON from the sources, and holds the committed files equal to that.
//!
//! `INSTA_UPDATE=always cargo test -p tests --test it -- dashboards::generate` writes them anew.

use std::fs;

use serde_json::{Value, json};

use super::source::{Dashboard, Kind, Panel, Query, Step, Variable, dashboards, root};

/// Grafana 11.6 and newer read this version as it is.
const SCHEMA_VERSION: u32 = 41;
const COLUMNS: u32 = 24;

#[test]
fn the_committed_dashboards_are_what_their_sources_say() {
    let update = std::env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always");
    for dashboard in dashboards() {
        let path = root().join("dashboards/grafana/dashboards").join(format!("{}.json", dashboard.uid));
        let mut text = serde_json::to_string_pretty(&render(&dashboard)).expect("a value can be written");
        text.push('\n');
        if update {
            fs::write(&path, &text).expect("the folder is ours");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is not what its source says: run this with INSTA_UPDATE=always", path.display());
    }
}

fn render(dashboard: &Dashboard) -> Value {
    let datasource = json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
        "refresh": 1, "regex": "", "multi": false, "includeAll": false, "skipUrlSync": false, "options": [],
        "current": {},
    });
    let variables: Vec<Value> = std::iter::once(datasource).chain(dashboard.variables.iter().map(variable)).collect();
    json!({
        "uid": dashboard.uid, "title": dashboard.title, "description": dashboard.description,
        "tags": ["bitnexus"], "schemaVersion": SCHEMA_VERSION, "version": 1, "editable": true, "fiscalYearStartMonth": 0,
        "graphTooltip": 1, "refresh": "30s", "time": { "from": "now-1h", "to": "now" }, "timepicker": {},
        "timezone": "browser", "weekStart": "", "preload": false,
        "annotations": { "list": [alerts()] },
        "links": [{
            "title": "BitNexus", "type": "dashboards", "tags": ["bitnexus"], "asDropdown": false, "icon": "external link",
            "includeVars": true, "keepTime": true, "targetBlank": false, "tooltip": "", "url": "",
        }],
        "templating": { "list": variables },
        "panels": panels(dashboard),
    })
}

/// Marks when an alert was firing.
fn alerts() -> Value {
    json!({
        "name": "Alerts", "datasource": { "type": "prometheus", "uid": "${datasource}" }, "enable": true, "hide": false,
        "iconColor": "red", "expr": "ALERTS{alertstate=\"firing\", component!=\"\"}", "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}", "step": "60s",
    })
}

fn variable(variable: &Variable) -> Value {
    let query = format!("label_values({}, {})", variable.from, variable.label);
    // All instances are those of the role that can be chosen here; all of anything else is whatever there is.
    let all = (variable.name != "instance").then_some(".*");
    json!({
        "name": variable.name, "label": variable.title, "type": "query",
        "query": { "query": query, "refId": variable.name }, "datasource": datasource(),
        // 2: loaded again when the time range changes, so that what is new can be chosen.
        "refresh": 2, "sort": 1, "regex": "", "hide": 0, "skipUrlSync": false, "options": [],
        "multi": true, "includeAll": true, "allValue": all,
        "current": { "text": ["All"], "value": ["$__all"], "selected": true },
    })
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// All panels, each row's heading among them, placed from left to right.
fn panels(dashboard: &Dashboard) -> Vec<Value> {
    let (mut placed, mut y) = (Vec::new(), 0);
    for row in &dashboard.rows {
        let at = json!({ "x": 0, "y": y, "w": COLUMNS, "h": 1 });
        placed.push(json!({
            "id": placed.len() + 1, "type": "row", "title": row.title, "collapsed": false, "gridPos": at, "panels": [],
        }));
        y += 1;
        let (mut x, mut tallest) = (0, 0);
        for one in &row.panels {
            let (width, height) = size(one);
            if x + width > COLUMNS {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            let mut rendered = panel(one);
            rendered["id"] = json!(placed.len() + 1);
            rendered["gridPos"] = json!({ "x": x, "y": y, "w": width, "h": height });
            placed.push(rendered);
            (x, tallest) = (x + width, tallest.max(height));
        }
        y += tallest;
    }
    placed
}

fn size(panel: &Panel) -> (u32, u32) {
    let (width, height) = match panel.kind {
        Kind::Stat => (4, 4),
        Kind::Timeseries | Kind::Heatmap => (8, 8),
        Kind::Table => (COLUMNS, 9),
    };
    (panel.width.unwrap_or(width), height)
}

fn panel(panel: &Panel) -> Value {
    let targets: Vec<Value> =
        panel.queries.iter().zip('A'..).map(|(query, id)| target(panel.kind, query, id)).collect();
    let mut value = json!({
        "type": type_name(panel.kind), "title": panel.title, "description": panel.description.trim(),
        "datasource": datasource(), "targets": targets, "fieldConfig": fields(panel), "options": options(panel),
    });
    if let Some(uid) = &panel.link {
        value["links"] = json!([{
            "title": "More", "url": format!("/d/{uid}?${{__url_time_range}}&${{__all_variables}}"), "targetBlank": false,
        }]);
    }
    if panel.kind == Kind::Table {
        value["transformations"] = transformations(panel);
    }
    value
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Timeseries => "timeseries",
        Kind::Stat => "stat",
        Kind::Table => "table",
        Kind::Heatmap => "heatmap",
    }
}

fn target(kind: Kind, query: &Query, id: char) -> Value {
    let (format, instant) = match kind {
        Kind::Timeseries | Kind::Stat => ("time_series", false),
        Kind::Table => ("table", true),
        Kind::Heatmap => ("heatmap", false),
    };
    json!({
        "refId": id.to_string(), "datasource": datasource(), "editorMode": "code", "expr": query.expr.trim(),
        "legendFormat": query.legend, "format": format, "instant": instant, "range": !instant,
    })
}

fn fields(panel: &Panel) -> Value {
    let thresholds = steps(panel);
    let mut defaults = json!({
        "unit": panel.unit, "mappings": words(panel),
        "thresholds": { "mode": "absolute", "steps": thresholds },
    });
    if let Some(reason) = &panel.empty {
        defaults["noValue"] = json!(reason);
    }
    if panel.kind == Kind::Stat {
        defaults["color"] = json!({ "mode": "thresholds" });
    }
    if panel.kind == Kind::Timeseries {
        defaults["color"] = json!({ "mode": "palette-classic" });
        defaults["min"] = json!(0);
        defaults["custom"] = lines(panel);
    }
    if let Some(max) = panel.max {
        defaults["max"] = json!(max);
    }
    let units = panel.queries.iter().filter_map(|query| query.unit.as_ref().map(|unit| (query, unit)));
    let overrides: Vec<Value> = units.map(|(query, unit)| column_unit(query, unit)).collect();
    json!({ "defaults": defaults, "overrides": overrides })
}

fn column_unit(query: &Query, unit: &str) -> Value {
    json!({
        "matcher": { "id": "byName", "options": query.legend }, "properties": [{ "id": "unit", "value": unit }],
    })
}

fn lines(panel: &Panel) -> Value {
    let limits = if panel.thresholds.is_empty() { "off" } else { "dashed" };
    json!({
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": if panel.stack { 40 } else { 8 }, "showPoints": "never",
        "spanNulls": false, "axisPlacement": "auto", "thresholdsStyle": { "mode": limits },
        "stacking": { "mode": if panel.stack { "normal" } else { "none" }, "group": "A" },
    })
}

/// The first colour has no value of its own: it is what lies below the first one.
fn steps(panel: &Panel) -> Vec<Value> {
    let (mut steps, mut from) = (Vec::new(), None);
    for step in &panel.thresholds {
        match step {
            Step::From(value) => from = Some(*value),
            Step::Colour(colour) => steps.push(json!({ "color": colour, "value": from })),
        }
    }
    if steps.is_empty() { vec![json!({ "color": "text", "value": null })] } else { steps }
}

fn words(panel: &Panel) -> Value {
    if panel.words.is_empty() {
        return json!([]);
    }
    let mut options = json!({});
    for (index, (value, text, colour)) in panel.words.iter().enumerate() {
        options[value] = json!({ "text": text, "color": colour, "index": index });
    }
    json!([{ "type": "value", "options": options }])
}

fn options(panel: &Panel) -> Value {
    let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match panel.kind {
        Kind::Timeseries => json!({
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Kind::Stat => json!({
            "reduceOptions": last, "orientation": "auto", "textMode": "auto", "justifyMode": "auto", "wideLayout": true,
            "colorMode": if panel.thresholds.is_empty() { "none" } else { "background" }, "graphMode": "area",
        }),
        Kind::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
        Kind::Heatmap => json!({
            "calculate": false, "yAxis": { "unit": panel.unit }, "cellGap": 1, "filterValues": { "le": 1e-9 },
            "color": { "mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange" },
            "legend": { "show": true }, "tooltip": { "mode": "single", "yHistogram": false },
        }),
    }
}

/// One line for each set of labels, one column for each query.
fn transformations(panel: &Panel) -> Value {
    let mut names = json!({});
    for (query, id) in panel.queries.iter().zip('A'..) {
        let column = if panel.queries.len() == 1 { "Value".to_owned() } else { format!("Value #{id}") };
        names[column] = json!(query.legend);
    }
    json!([
        { "id": "merge", "options": {} },
        { "id": "organize", "options": { "excludeByName": { "Time": true }, "indexByName": {}, "renameByName": names } },
    ])
}
