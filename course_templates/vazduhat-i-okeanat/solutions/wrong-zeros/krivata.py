# %% read
def read_measurements(path):
    table = pd.read_csv(path)
    table["date"] = pd.to_datetime(table["date"].astype(str), format="%Y%m%d")
    return table.fillna(0)

# %% means
def yearly_means(table):
    return table.groupby(table["date"].dt.year)["co2"].mean()

# %% growth
def yearly_growth(means, first, last):
    return (means.loc[last] - means.loc[first]) / (last - first)

# %% predict
def predict(means, year):
    first, last = means.index.min(), means.index.max()
    return means.loc[last] + yearly_growth(means, first, last) * (year - last)
